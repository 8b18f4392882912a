//! Checks with remedies, out of facts.

use std::path::PathBuf;

use caps::Capability;

use super::facts::{Answer, Btf, BtfNames, Facts, Lockdown, Symbols};
use super::{Check, CheckState};

/// Locked memory that the BPF maps need where it is counted, in bytes.
const MEMLOCK_BYTES: u64 = 64 << 20;

/// What a check found: its state, in plain words, and how to mend it.
struct Finding {
    state: CheckState,
    detail: String,
    remedy: Option<String>,
}

impl Finding {
    fn ok(detail: impl Into<String>) -> Self {
        Self { state: CheckState::Ok, detail: detail.into(), remedy: None }
    }

    fn missing(detail: impl Into<String>) -> Self {
        Self { state: CheckState::Missing, detail: detail.into(), remedy: None }
    }

    fn unknown(detail: impl Into<String>) -> Self {
        Self { state: CheckState::Unknown, detail: detail.into(), remedy: None }
    }

    fn remedy(self, remedy: impl Into<String>) -> Self {
        Self { remedy: Some(remedy.into()), ..self }
    }
}

/// A check that was not made yet: name, what needs it, whether nothing goes without it.
type Plan = (&'static str, &'static str, bool, fn(&Facts) -> Option<Finding>);

const PLANS: &[Plan] = &[
    ("kernel", "everything", false, kernel),
    ("privileges", "reading by BPF", true, privileges),
    ("user namespace", "reading by BPF", true, user_namespace),
    ("seccomp", "reading by BPF", false, seccomp),
    ("bpf", "reading by BPF", true, bpf),
    ("lockdown", "reading by BPF", true, lockdown),
    ("btf", "reading by BPF", true, btf),
    ("iterator", "reading by BPF", true, |facts| {
        of_btf(facts, |names| names.iterators, "BPF iterators over tasks and their files", "5.8")
    }),
    ("ring buffer", "dumps of queues", false, |facts| {
        of_btf(facts, |names| names.ring_buffer, "the BPF ring buffer", "5.8")
    }),
    ("memlock", "reading by BPF", true, memlock),
    ("jit", "sums over queues", false, jit),
    ("bpf_loop", "sums over queues, dumps", false, |facts| {
        of_btf(facts, |names| names.bpf_loop, "bpf_loop", "5.17")
    }),
    ("d_path", "paths of files", false, d_path),
    ("link filter", "reading one process at its own cost only", false, |facts| {
        of_btf(facts, |names| names.link_filter, "iterators for one process", "6.1")
    }),
    ("kallsyms", "names of file operations", false, kallsyms),
    ("ptrace", "--source procfs for other users' processes", false, ptrace),
];

/// All checks that apply to this system, the most basic first.
pub fn checks(facts: &Facts) -> Vec<Check> {
    PLANS
        .iter()
        .filter_map(|&(name, needed_for, required, find)| {
            let Finding { state, detail, remedy } = find(facts)?;
            Some(Check { name, needed_for, required, state, detail, remedy })
        })
        .collect()
}

fn kernel(facts: &Facts) -> Option<Finding> {
    Some(match &facts.release {
        Some(release) => Finding::ok(format!("Linux {release}")),
        None => Finding::unknown("/proc/sys/kernel/osrelease can't be read"),
    })
}

fn has(capabilities: u64, capability: Capability) -> bool {
    capabilities & capability.bitmask() != 0
}

/// What loads and runs BPF programs: CAP_BPF with CAP_PERFMON, or CAP_SYS_ADMIN as before
/// Linux 5.8 (capabilities(7)).
fn privileges(facts: &Facts) -> Option<Finding> {
    let Some(capabilities) = facts.capabilities else {
        return Some(Finding::unknown("/proc/self/status does not tell the capabilities"));
    };
    let has = |capability| has(capabilities, capability);
    if has(Capability::CAP_SYS_ADMIN) {
        return Some(Finding::ok("CAP_SYS_ADMIN"));
    }
    let missing: Vec<&str> =
        [(Capability::CAP_BPF, "CAP_BPF"), (Capability::CAP_PERFMON, "CAP_PERFMON")]
            .into_iter()
            .filter_map(|(capability, name)| (!has(capability)).then_some(name))
            .collect();
    if missing.is_empty() {
        return Some(Finding::ok("CAP_BPF and CAP_PERFMON"));
    }
    let missing = missing.join(" and ");
    Some(match facts.uid {
        Some(0) => Finding::missing(format!("root lacks {missing} here")).remedy(
            "run it outside the container, or start the container with --cap-add BPF --cap-add \
             PERFMON --cap-add SYS_PTRACE",
        ),
        uid => {
            let who = uid.map_or_else(|| "this user".into(), |uid| format!("uid {uid}"));
            Finding::missing(format!("{who} lacks {missing}; root has them"))
                .remedy(setcap(facts, ""))
        }
    })
}

/// The command that gives this very binary what it needs to read by BPF, and more where that is
/// what is asked for.
fn setcap(facts: &Facts, more: &str) -> String {
    let (mut memory, mut links) = ("", "");
    if let Btf::Read(names) = &facts.btf {
        // The limit on locked memory has to be raised; paths are read from links in /proc.
        memory = if names.counts_memlock { ",cap_sys_resource" } else { "" };
        links = if names.bpf_loop { "" } else { ",cap_dac_read_search" };
    }
    // Once is enough.
    let more = if more == links { "" } else { more };
    let program = std::env::current_exe().ok();
    let program = program.as_ref().and_then(|path: &PathBuf| path.to_str());
    let program = match program {
        Some(path) if !path.contains(['\'', '\n']) && !path.contains(char::is_control) => {
            if path.contains(|c: char| !c.is_ascii_alphanumeric() && !"/._-+".contains(c)) {
                format!("'{path}'")
            } else {
                path.to_owned()
            }
        }
        _ => "\"$(command -v crib-top)\"".into(),
    };
    format!("sudo setcap cap_bpf,cap_perfmon,cap_sys_ptrace{memory}{links}{more}=ep {program}")
}

fn user_namespace(facts: &Facts) -> Option<Finding> {
    Some(match &facts.initial_userns {
        Answer::Yes => Finding::ok("the initial one"),
        Answer::No => Finding::missing(
            "not the initial one: capabilities count nothing for BPF in a user namespace of \
             one's own (rootless containers, unshare -U)",
        )
        .remedy("run it outside the container, on the host itself"),
        Answer::Unknown(why) => Finding::unknown(why),
    })
}

fn seccomp(facts: &Facts) -> Option<Finding> {
    Some(match &facts.seccomp {
        Answer::No => Finding::ok("no filter"),
        Answer::Yes => Finding::unknown(
            "a seccomp filter is in force, which may refuse bpf(2), as those of containers do",
        )
        .remedy(
            "run it outside the container, or start the container with --security-opt \
             seccomp=unconfined",
        ),
        Answer::Unknown(why) => Finding::unknown(why),
    })
}

fn bpf(facts: &Facts) -> Option<Finding> {
    Some(match &facts.bpf {
        Answer::Yes => Finding::ok("bpf(2) is there"),
        Answer::No => Finding::missing("this kernel was built without bpf(2)")
            .remedy("boot a kernel that is built with CONFIG_BPF_SYSCALL=y"),
        Answer::Unknown(why) => Finding::unknown(why),
    })
}

fn lockdown(facts: &Facts) -> Option<Finding> {
    Some(match &facts.lockdown {
        Lockdown::None => Finding::ok("none"),
        Lockdown::Integrity => Finding::ok(
            "integrity: the kernel may be read and not changed; reading is all that is done here",
        ),
        Lockdown::Confidentiality => {
            Finding::missing("confidentiality: this kernel lets not even root read its memory")
                .remedy(
                    "boot without lockdown=confidentiality on the kernel's command line; a \
                     running kernel can't be unlocked",
                )
        }
        Lockdown::NotMounted => Finding::unknown("securityfs, which tells, is not mounted")
            .remedy("sudo mount -t securityfs securityfs /sys/kernel/security"),
        Lockdown::Unknown(why) => Finding::unknown(why),
    })
}

fn btf(facts: &Facts) -> Option<Finding> {
    Some(match &facts.btf {
        Btf::Read(_) => Finding::ok("/sys/kernel/btf/vmlinux"),
        Btf::Absent => {
            Finding::missing("this kernel does not describe its structures: it has no BTF").remedy(
                "boot a kernel that is built with CONFIG_DEBUG_INFO_BTF=y, as the distributions' \
                 are",
            )
        }
        Btf::NoSysfs => Finding::missing(
            "there is no /sys/kernel, where the kernel describes its structures (BTF)",
        )
        .remedy("sudo mount -t sysfs sysfs /sys"),
        Btf::Unreadable(why) => Finding::unknown(format!("/sys/kernel/btf/vmlinux: {why}")),
    })
}

/// A check that names in BTF answer.
fn of_btf(facts: &Facts, has: fn(&BtfNames) -> bool, what: &str, since: &str) -> Option<Finding> {
    Some(match &facts.btf {
        Btf::Read(names) if has(names) => Finding::ok(format!("{what}: this kernel has it")),
        Btf::Read(_) => Finding::missing(format!("this kernel lacks {what} (Linux {since})"))
            .remedy(format!("boot a kernel of Linux {since} or newer")),
        _ => Finding::unknown("can't be told without BTF"),
    })
}

fn d_path(facts: &Facts) -> Option<Finding> {
    let Btf::Read(names) = &facts.btf else {
        return Some(Finding::unknown("can't be told without BTF"));
    };
    // Iterators may call it since Linux 5.12, which leaves no trace in BTF; what came after it
    // does, and without loops there is only the plain program, which does not call it.
    Some(if names.d_path && names.bpf_loop {
        Finding::ok("bpf_d_path, in a kernel that lets iterators call it")
    } else {
        Finding::ok("from the links in /proc, as before Linux 5.17")
    })
}

/// Before Linux 5.11 BPF's memory counted as locked memory, which root may raise by itself.
fn memlock(facts: &Facts) -> Option<Finding> {
    match &facts.btf {
        Btf::Read(names) if names.counts_memlock => {}
        _ => return None,
    }
    let raises = facts.capabilities.is_some_and(|mask| has(mask, Capability::CAP_SYS_RESOURCE));
    Some(match facts.memlock {
        _ if raises => Finding::ok("CAP_SYS_RESOURCE lifts the limit on locked memory"),
        Some(bytes) if bytes < MEMLOCK_BYTES => Finding::missing(format!(
            "{bytes} bytes of memory may be locked, and BPF counts as that before Linux 5.11"
        ))
        .remedy(if facts.uid == Some(0) {
            "start the container with --ulimit memlock=-1".to_owned()
        } else {
            setcap(facts, "")
        }),
        Some(bytes) => Finding::ok(format!("{bytes} bytes may be locked")),
        None => Finding::ok("locked memory is not limited"),
    })
}

fn jit(facts: &Facts) -> Option<Finding> {
    Some(match &facts.jit {
        Answer::Yes => Finding::ok("on"),
        Answer::No => Finding::missing("off: programs with loops are refused")
            .remedy("sudo sysctl -w net.core.bpf_jit_enable=1"),
        Answer::Unknown(why) => Finding::unknown(why),
    })
}

fn kallsyms(facts: &Facts) -> Option<Finding> {
    let Symbols { addresses, data, kptr_restrict } = facts.symbols.as_ref()?;
    let syslog = facts.capabilities.map(|mask| has(mask, Capability::CAP_SYSLOG));
    Some(match (addresses, data) {
        (Answer::Yes, Answer::Yes) => Finding::ok("functions and data, with addresses"),
        (Answer::Yes, _) => Finding::ok(
            "functions only: file operations are shown by the name of one of their functions",
        ),
        (Answer::No, Answer::No) if kptr_restrict.is_none() => {
            Finding::missing("this kernel has no symbol table")
                .remedy("boot a kernel that is built with CONFIG_KALLSYMS=y")
        }
        // Programs that loop have the kernel name what they meet; see `kernel::symbols`.
        (Answer::No, _) if matches!(&facts.btf, Btf::Read(names) if names.bpf_loop) => {
            Finding::ok("addresses are hidden from us, but the kernel gives BPF the names")
        }
        (Answer::No, _) if kptr_restrict.is_some_and(|restrict| restrict >= 2) => {
            Finding::missing("kernel.kptr_restrict hides all addresses")
                .remedy("sudo sysctl -w kernel.kptr_restrict=1")
        }
        (Answer::No, _) if syslog == Some(false) => {
            let finding = Finding::missing("addresses are hidden from users without CAP_SYSLOG");
            if facts.uid == Some(0) {
                finding.remedy("start the container with --cap-add SYSLOG")
            } else {
                finding.remedy(setcap(facts, ",cap_syslog"))
            }
        }
        (Answer::No, _) => Finding::missing("the symbol table shows no addresses"),
        (Answer::Unknown(why), _) => Finding::unknown(why),
    })
}

fn ptrace(facts: &Facts) -> Option<Finding> {
    let Some(mask) = facts.capabilities else {
        return Some(Finding::unknown("/proc/self/status does not tell the capabilities"));
    };
    let root = facts.uid == Some(0);
    // The directory of a process's descriptors is its user's alone.
    let reads = [Capability::CAP_DAC_READ_SEARCH, Capability::CAP_DAC_OVERRIDE];
    let reads = reads.into_iter().any(|capability| has(mask, capability));
    Some(match (has(mask, Capability::CAP_SYS_PTRACE), reads) {
        (true, true) => Finding::ok("CAP_SYS_PTRACE and CAP_DAC_READ_SEARCH"),
        (false, _) if root => Finding::missing("root lacks CAP_SYS_PTRACE here")
            .remedy("start the container with --cap-add SYS_PTRACE"),
        (true, false) if root => Finding::missing("root lacks CAP_DAC_READ_SEARCH here")
            .remedy("start the container with --cap-add DAC_READ_SEARCH"),
        _ => Finding::missing(
            "without CAP_SYS_PTRACE and CAP_DAC_READ_SEARCH /proc shows only one's own processes",
        )
        .remedy(setcap(facts, ",cap_dac_read_search")),
    })
}
