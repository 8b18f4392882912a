//! Checks on made-up systems.

use std::fs;
use std::os::unix::fs::symlink;
use std::path::Path;

use rstest::rstest;

use super::facts::{Answer, Facts, Roots};
use super::names::Named;
use super::names::tests::btf_of;
use super::*;

const ROOT: u64 = (1 << 41) - 1;
const NO_ONE: u64 = 0;
/// CAP_PERFMON (38) and CAP_BPF (39).
const BPF: u64 = 1 << 38 | 1 << 39;

const LINUX_6_1: &[Named] = &[
    Named::Function("bpf_iter_task"),
    Named::Function("bpf_iter_task_file"),
    Named::Constant("BPF_MAP_TYPE_RINGBUF"),
    Named::Constant("BPF_FUNC_d_path"),
    Named::Constant("BPF_FUNC_loop"),
    Named::Member("bpf_iter_link_info", "task"),
];
const LINUX_5_10: &[Named] = &[
    Named::Function("bpf_iter_task"),
    Named::Function("bpf_iter_task_file"),
    Named::Constant("BPF_MAP_TYPE_RINGBUF"),
    Named::Constant("BPF_FUNC_d_path"),
    // The union without the member.
    Named::Member("bpf_iter_link_info", "map"),
    Named::Structure("bpf_map_memory"),
];

/// A made-up system, at first one on which everything is there.
struct System {
    dir: tempfile::TempDir,
}

impl System {
    fn new() -> Self {
        let system = Self { dir: tempfile::tempdir().unwrap() };
        system
            .user(0, ROOT)
            .write("proc/sys/kernel/osrelease", "6.1.0-test\n")
            .write("proc/sys/kernel/unprivileged_bpf_disabled", "2\n")
            .write("proc/sys/kernel/kptr_restrict", "0\n")
            .write("proc/sys/net/core/bpf_jit_enable", "1\n")
            .write(
                "proc/kallsyms",
                "ffffffff81000000 T _text\nffffffff82000000 r socket_file_ops\n",
            )
            .write("proc/self/limits", "Max locked memory         65536      65536      bytes\n")
            .write("sys/kernel/btf/vmlinux", btf_of(LINUX_6_1))
            .write("sys/kernel/security/lockdown", "[none] integrity confidentiality\n")
            .write("sys/kernel/tracing/events/enable", "0\n");
        fs::create_dir_all(system.path("proc/self/ns")).unwrap();
        symlink("user:[4026531837]", system.path("proc/self/ns/user")).unwrap();
        system
    }

    fn path(&self, path: &str) -> std::path::PathBuf {
        self.dir.path().join(path)
    }

    fn write(&self, path: &str, content: impl AsRef<[u8]>) -> &Self {
        let path = self.path(path);
        fs::create_dir_all(path.parent().unwrap()).unwrap();
        fs::write(path, content).unwrap();
        self
    }

    fn user(&self, uid: u32, capabilities: u64) -> &Self {
        self.write(
            "proc/self/status",
            format!(
                "Name:\tx\nUid:\t{uid}\t{uid}\t{uid}\t{uid}\nCapPrm:\t0000000000000000\n\
                 CapEff:\t{capabilities:016x}\nSeccomp:\t0\n"
            ),
        )
    }

    fn remove(&self, path: &str) -> &Self {
        let path = self.path(path);
        if path.is_dir() { fs::remove_dir_all(path) } else { fs::remove_file(path) }.unwrap();
        self
    }

    fn facts(&self) -> Facts {
        Facts::gather(&Roots { proc: self.path("proc"), sys: self.path("sys") })
    }

    fn checks(&self) -> Vec<Check> {
        decide::checks(&self.facts())
    }

    fn check(&self, name: &str) -> Check {
        let checks = self.checks();
        checks.into_iter().find(|check| check.name == name).unwrap_or_else(|| panic!("no {name}"))
    }
}

fn remedy(check: &Check) -> &str {
    check.remedy.as_deref().unwrap_or("")
}

#[test]
fn on_a_system_that_has_everything_nothing_is_missing() {
    for check in System::new().checks() {
        assert_eq!(check.state, CheckState::Ok, "{check:?}");
        assert_eq!(check.remedy, None, "{check:?}");
    }
}

#[test]
fn every_text_is_one_line_without_controls() {
    let systems = [System::new(), System::new(), System::new()];
    systems[1].user(1000, NO_ONE).remove("sys").remove("proc/sys");
    systems[2].write("sys/kernel/security/lockdown", "\x1b[31m\n").remove("sys/kernel/btf");
    for check in systems.iter().flat_map(System::checks) {
        let texts = [check.detail.as_str(), remedy(&check)];
        assert!(!texts.iter().any(|text| text.contains(char::is_control)), "{check:?}");
        assert!(!check.detail.is_empty());
    }
}

#[test]
fn an_empty_system_gives_no_yes_and_no_panic() {
    let dir = tempfile::tempdir().unwrap();
    let roots = Roots { proc: dir.path().join("proc"), sys: dir.path().join("sys") };
    for check in decide::checks(&Facts::gather(&roots)) {
        assert_ne!(check.state, CheckState::Ok, "{check:?}");
    }
}

#[test]
fn without_sysfs_it_is_said_what_to_mount() {
    let system = System::new();
    let check = system.remove("sys").check("btf");
    assert_eq!(check.state, CheckState::Missing);
    assert!(remedy(&check).contains("mount -t sysfs"), "{check:?}");
    assert!(explained(&system, libc::ENOENT).contains("no /sys/kernel"));
}

#[rstest]
#[case::root(0, ROOT, CheckState::Ok, "")]
#[case::capabilities(1000, BPF, CheckState::Ok, "")]
#[case::admin_before_5_8(1000, 1 << 21, CheckState::Ok, "")]
#[case::half(1000, 1 << 39, CheckState::Missing, "sudo setcap cap_bpf,cap_perfmon")]
#[case::user(1000, NO_ONE, CheckState::Missing, "sudo setcap cap_bpf,cap_perfmon")]
#[case::container(0, NO_ONE, CheckState::Missing, "--cap-add BPF")]
fn privileges_are_bpf_with_perfmon_or_admin(
    #[case] uid: u32,
    #[case] capabilities: u64,
    #[case] state: CheckState,
    #[case] expected: &str,
) {
    let system = System::new();
    let check = system.user(uid, capabilities).check("privileges");
    assert_eq!(check.state, state, "{check:?}");
    assert!(remedy(&check).contains(expected), "{check:?}");
}

#[test]
fn capabilities_do_not_count_in_another_user_namespace() {
    let system = System::new();
    system.remove("proc/self/ns/user");
    symlink("user:[4026532278]", system.path("proc/self/ns/user")).unwrap();
    assert_eq!(system.check("user namespace").state, CheckState::Missing);
    // A kernel without user namespaces has one.
    system.remove("proc/self/ns/user");
    assert_eq!(system.check("user namespace").state, CheckState::Ok);
}

#[rstest]
#[case("[none] integrity confidentiality\n", CheckState::Ok)]
#[case("none [integrity] confidentiality\n", CheckState::Ok)]
#[case("none integrity [confidentiality]\n", CheckState::Missing)]
#[case("something else\n", CheckState::Unknown)]
fn lockdown_refuses_reading_only_for_confidentiality(
    #[case] modes: &str,
    #[case] state: CheckState,
) {
    let system = System::new();
    assert_eq!(system.write("sys/kernel/security/lockdown", modes).check("lockdown").state, state);
}

#[test]
fn without_securityfs_lockdown_is_unknown_and_the_mount_command_is_told() {
    let system = System::new();
    system.remove("sys/kernel/security/lockdown");
    let check = system.check("lockdown");
    assert_eq!(check.state, CheckState::Unknown);
    assert_eq!(remedy(&check), "sudo mount -t securityfs securityfs /sys/kernel/security");
    // Mounted, and without that file: a kernel that has no lockdown.
    system.write("sys/kernel/security/lsm", "capability");
    assert_eq!(system.check("lockdown").state, CheckState::Ok);
    system.remove("sys/kernel/security");
    assert_eq!(system.check("lockdown").state, CheckState::Unknown);
}

#[test]
fn what_a_kernel_can_is_read_from_its_btf() {
    let system = System::new();
    system.write("sys/kernel/btf/vmlinux", btf_of(LINUX_5_10));
    let states = ["iterator", "ring buffer", "bpf_loop", "d_path", "link filter"]
        .map(|name| system.check(name).state);
    use CheckState::{Missing, Ok};
    assert_eq!(states, [Ok, Ok, Missing, Ok, Missing]);
    assert!(system.check("d_path").detail.contains("/proc"));
    system.write("sys/kernel/btf/vmlinux", btf_of(&LINUX_5_10[1..3]));
    assert_eq!(system.check("iterator").state, Missing);
}

#[test]
fn without_btf_what_depends_on_it_can_not_be_told() {
    let system = System::new();
    system.remove("sys/kernel/btf");
    let check = system.check("btf");
    assert_eq!(check.state, CheckState::Missing);
    assert!(remedy(&check).contains("CONFIG_DEBUG_INFO_BTF=y"));
    for name in ["iterator", "bpf_loop", "link filter", "d_path"] {
        assert_eq!(system.check(name).state, CheckState::Unknown);
    }
    system.write("sys/kernel/btf/vmlinux", "not BTF at all, but long enough to be");
    assert_eq!(system.check("btf").state, CheckState::Unknown);
}

#[test]
fn locked_memory_matters_only_before_5_11() {
    let system = System::new();
    assert!(system.user(1000, BPF).checks().iter().all(|check| check.name != "memlock"));
    system.write("sys/kernel/btf/vmlinux", btf_of(LINUX_5_10));
    let check = system.check("memlock");
    assert_eq!(check.state, CheckState::Missing);
    let advice = "sudo setcap cap_bpf,cap_perfmon,cap_sys_ptrace,cap_sys_resource,\
                  cap_dac_read_search=ep ";
    assert!(remedy(&check).starts_with(advice), "{}", remedy(&check));
    let check = system.user(1000, NO_ONE).check("privileges");
    assert!(remedy(&check).starts_with(advice), "{}", remedy(&check));
    let check = system.check("ptrace");
    assert!(remedy(&check).starts_with(advice), "{}", remedy(&check));
    let check = system.user(0, BPF).check("memlock");
    assert_eq!(remedy(&check), "start the container with --ulimit memlock=-1");
    assert_eq!(system.user(0, ROOT).check("memlock").state, CheckState::Ok);
    system.user(1000, BPF).write("proc/self/limits", "Max locked memory unlimited unlimited bytes");
    assert_eq!(system.check("memlock").state, CheckState::Ok);
}

#[test]
fn symbols_may_be_hidden_or_of_functions_only() {
    let system = System::new();
    system.write("proc/kallsyms", "ffffffff81000000 T _text\nffffffff81e2bb90 T sock_close\n");
    let check = system.check("kallsyms");
    assert_eq!(check.state, CheckState::Ok);
    assert!(check.detail.contains("functions only"), "{check:?}");

    system.write("proc/kallsyms", "0000000000000000 T _text\n0000000000000000 r socket_file_ops\n");
    system.write("proc/sys/kernel/kptr_restrict", "2\n");
    let check = system.check("kallsyms");
    assert_eq!(check.state, CheckState::Ok);
    assert!(check.detail.contains("gives BPF the names"), "{check:?}");

    // Older kernels' programs can't ask for names.
    system.write("sys/kernel/btf/vmlinux", btf_of(LINUX_5_10));
    let check = system.check("kallsyms");
    assert_eq!(check.state, CheckState::Missing);
    assert_eq!(remedy(&check), "sudo sysctl -w kernel.kptr_restrict=1");
    system.write("proc/sys/kernel/kptr_restrict", "1\n").user(1000, BPF);
    assert!(remedy(&system.check("kallsyms")).contains("cap_syslog"));

    system.remove("proc/kallsyms").remove("proc/sys/kernel/kptr_restrict");
    assert_eq!(system.check("kallsyms").state, CheckState::Missing);
}

#[test]
fn the_jit_compiler_may_be_off() {
    let system = System::new();
    let check = system.write("proc/sys/net/core/bpf_jit_enable", "0\n").check("jit");
    assert_eq!(check.state, CheckState::Missing);
    assert_eq!(remedy(&check), "sudo sysctl -w net.core.bpf_jit_enable=1");
}

#[test]
fn a_kernel_without_bpf_is_told_from_an_unreadable_proc() {
    let system = System::new();
    system.remove("proc/sys/kernel/unprivileged_bpf_disabled");
    assert_eq!(system.check("bpf").state, CheckState::Missing);
    system.remove("proc/sys/kernel");
    assert_eq!(system.check("bpf").state, CheckState::Unknown);
}

fn explained(system: &System, errno: i32) -> String {
    let error = io::Error::from_raw_os_error(errno);
    let ReadError::Missing { what, remedy } =
        explain_by(&system.checks(), "the kernel refused the BPF programs", &error)
    else {
        panic!("another error")
    };
    format!("{what}; {remedy}")
}

#[test]
fn a_refusal_names_what_is_missing_and_its_remedy() {
    let system = System::new();
    system.user(1000, NO_ONE);
    let text = explained(&system, libc::EPERM);
    assert!(text.contains("uid 1000 lacks CAP_BPF and CAP_PERFMON"), "{text}");
    assert!(text.contains("sudo setcap"), "{text}");

    system.user(0, ROOT).write("sys/kernel/security/lockdown", "none integrity [confidentiality]");
    assert!(explained(&system, libc::EPERM).contains("confidentiality"));
    // The error points elsewhere first.
    system.remove("sys/kernel/btf");
    assert!(explained(&system, libc::ENOENT).contains("no BTF"));
    assert!(explained(&system, libc::EPERM).contains("confidentiality"));
}

#[test]
fn a_refusal_that_nothing_explains_keeps_the_kernels_words() {
    let system = System::new();
    let text = explained(&system, libc::EINVAL);
    assert!(text.contains("Invalid argument") && text.contains("crib-top doctor"), "{text}");
    // A filter can't be looked into; it is named as a suspect, not as the reason.
    let status = fs::read_to_string(system.path("proc/self/status")).unwrap();
    system.write("proc/self/status", status.replace("Seccomp:\t0", "Seccomp:\t2"));
    let text = explained(&system, libc::EPERM);
    assert!(text.contains("perhaps by a seccomp filter"), "{text}");
    assert!(text.contains("Operation not permitted"), "{text}");
}

#[test]
fn checks_serialise_with_plain_names() {
    let check = System::new().check("lockdown");
    let json = serde_json::to_value(&check).unwrap();
    assert_eq!(json["state"], "ok");
    assert_eq!(json["name"], "lockdown");
    assert!(json["remedy"].is_null());
}

#[test]
fn the_running_system_answers() {
    assert!(Path::new("/proc/self").exists());
    let facts = Facts::gather(&Roots::default());
    assert!(facts.release.is_some());
    assert!(facts.capabilities.is_some());
    assert!(!matches!(facts.initial_userns, Answer::Unknown(_)));
    assert_eq!(decide::checks(&facts), checks());
}
