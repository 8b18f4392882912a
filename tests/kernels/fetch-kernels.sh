#!/usr/bin/env bash
# fetch-kernels.sh [-f] [-u] DIR [LABEL...]
#
# Fetches Debian's kernels of kernels.lock, or those of the given labels, into DIR/LABEL/vmlinuz.
# Packages are downloaded with apt, their signatures and the lock's checksums are verified, and
# the machine's own apt state is left alone. Nothing is installed.
#
#   -f   where the archive no longer has the locked version, take the current one
#   -u   take the current versions and write them into kernels.lock
#
# The lock has one kernel a line: label, suite, metapackage, package, version, sha256. The
# mirror is the one that this machine's apt uses. Needs apt and dpkg; not root.
set -euo pipefail
export LC_ALL=C

say() { echo "fetch-kernels: $*" >&2; }
die() { say "$*"; exit 1; }

fall_back=0 update=0
while getopts fu option; do
    case $option in
    f) fall_back=1 ;;
    u) update=1 ;;
    *) exit 2 ;;
    esac
done
shift $((OPTIND - 1))
[ $# -ge 1 ] || { echo "usage: $0 [-f] [-u] DIR [LABEL...]" >&2; exit 2; }
lock=$(cd "$(dirname "$0")" && pwd)/kernels.lock
mkdir -p "$1"
dest=$(cd "$1" && pwd)
shift

# locked LABEL: its line in the lock.
locked() { awk -v label="$1" '$1 == label' "$lock"; }
labels=("$@")
[ $# -gt 0 ] || mapfile -t labels < <(awk '!/^#/ && NF { print $1 }' "$lock")
for label in "${labels[@]}"; do
    [ -n "$(locked "$label")" ] ||
        die "no kernel $label in kernels.lock; it has $(awk '!/^#/ { printf "%s ", $1 }' "$lock")"
done

# there LABEL SHA256: whether it was fetched before.
there() { [ -s "$dest/$1/vmlinuz" ] && [ "$(cat "$dest/$1/.sha256" 2>/dev/null)" = "$2" ]; }
if [ $update = 0 ]; then
    missing=()
    for label in "${labels[@]}"; do
        there "$label" "$(locked "$label" | awk '{ print $6 }')" || missing+=("$label")
    done
    # All there: no network is needed.
    [ ${#missing[@]} -gt 0 ] || exit 0
    labels=("${missing[@]}")
fi

# The mirror is named in this machine's configuration. Before the first `apt-get update` the
# codename of a suite isn't known, so the suite as it is written counts too.
codename=$(. /etc/os-release && echo "${VERSION_CODENAME:?this is no Debian with a codename}")
targets=$(apt-get indextargets --format '$(REPO_URI)|$(RELEASE)|$(CODENAME)|$(COMPONENT)' \
    'Created-By: Packages')
mirror=$(awk -F'|' -v c="$codename" \
    '($2 == c || $3 == c) && $4 == "main" { print $1; exit }' <<<"$targets")
security=$(awk -F'|' -v c="$codename-security" \
    '($2 == c || $3 == c || $2 ~ /-security$/) && $4 == "main" { print $1; exit }' <<<"$targets")
[ -n "$mirror" ] || die "apt on this machine has no source for $codename main"
keyring=/usr/share/keyrings/debian-archive-keyring.gpg
[ -r "$keyring" ] || keyring=${keyring%.gpg}.pgp
[ -r "$keyring" ] || die "the package debian-archive-keyring is not installed"

# An apt of our own, with no state but its own.
tmp=$(mktemp -d "${TMPDIR:-/tmp}/fetch-kernels.XXXXXX")
trap 'rm -rf "$tmp"' EXIT
chmod 755 "$tmp"
mkdir -p "$tmp"/{lists/partial,cache/archives/partial,parts,preferences.d,download}
: >"$tmp/status"
for label in "${labels[@]}"; do
    locked "$label" | awk '{ print $2 }'
done | sort -u | while read -r suite; do
    uri=$mirror
    case $suite in *-security) uri=$security ;; esac
    [ -n "$uri" ] || die "apt on this machine has no security source, which $suite needs"
    echo "deb [arch=amd64 signed-by=$keyring target=Packages] $uri $suite main"
done >"$tmp/sources.list"
cat >"$tmp/apt.conf" <<CONF
#clear APT::Update::Pre-Invoke;
#clear APT::Update::Post-Invoke;
#clear APT::Update::Post-Invoke-Success;
#clear DPkg::Pre-Invoke;
#clear DPkg::Post-Invoke;
Dir::Etc::sourcelist "$tmp/sources.list";
Dir::Etc::sourceparts "$tmp/parts";
Dir::Etc::preferences "$tmp/preferences";
Dir::Etc::preferencesparts "$tmp/preferences.d";
Dir::State "$tmp";
Dir::State::lists "$tmp/lists";
Dir::State::status "$tmp/status";
Dir::State::extended_states "$tmp/extended_states";
Dir::Cache "$tmp/cache";
Dir::Log "$tmp";
APT::Architecture "amd64";
APT::Architectures { "amd64"; };
APT::Sandbox::User "$([ "$(id -u)" = 0 ] && echo root || :)";
APT::Default-Release "";
Acquire::Languages "none";
Acquire::Retries "3";
Acquire::AllowInsecureRepositories "false";
CONF
apt_() { local command=$1; shift; "apt-$command" -c "$tmp/apt.conf" "$@"; }
apt_ get -qq update >&2 || die "apt-get update failed"

# field PACKAGE VERSION FIELD: from the package's entry in the index.
field() {
    apt_ cache show --no-all-versions "$1=$2" 2>/dev/null |
        awk -v f="$3:" '$1 == f { sub(/^[^:]*: */, ""); print; exit }'
}
# newest PACKAGE SUITE: its version there.
newest() {
    apt_ cache madison "$1" | awk -F' *[|] *' -v suite="$2/main" '
        { split($3, at, " "); for (i in at) if (at[i] == suite) { gsub(/ /, "", $2); print $2; exit } }'
}
# image METAPACKAGE VERSION: the package with the image that it depends on, and its version.
# linux-image-amd64 -> linux-image-V-amd64, and since 7.x -> linux-binary-V-amd64.
image() {
    local package=$1 version=$2 needs
    for _ in 1 2 3 4; do
        needs=$(field "$package" "$version" Depends | tr ',' '\n' | sed 's/^ *//' |
            grep -oE '^linux-(image|binary)-[0-9][^ ]* \(= [^)]*\)' | sort | head -n1) || needs=
        [ -n "$needs" ] || break
        package=${needs%% *} version=${needs##*= } version=${version%)}
    done
    echo "$package $version"
}

for label in "${labels[@]}"; do
    read -r _ suite meta package version sum <<<"$(locked "$label")"
    gone=0
    [ -n "$(field "$package" "$version" Version)" ] || gone=1
    if [ $update = 1 ] || { [ $gone = 1 ] && [ $fall_back = 1 ]; }; then
        [ $update = 1 ] || say "$label: $package $version is no longer in $suite; taking the current one"
        current=$(newest "$meta" "$suite")
        [ -n "$current" ] || die "$label: no $meta in $suite"
        read -r package version <<<"$(image "$meta" "$current")"
        sum=$(field "$package" "$version" SHA256)
    elif [ $gone = 1 ]; then
        die "$label: $package $version is no longer in $suite: -f takes the current one, -u renews the lock"
    fi
    [ -n "$sum" ] && [ "$sum" = "$(field "$package" "$version" SHA256)" ] ||
        die "$label: the checksum of $package $version in the archive is not the lock's"
    if ! there "$label" "$sum"; then
        say "$label: $package $version from $suite"
        rm -rf "$tmp/download" "$tmp/unpacked" "$dest/$label"
        mkdir -p "$tmp/download" "$tmp/unpacked" "$dest/$label"
        (cd "$tmp/download" && apt_ get -qq download "$package=$version" >&2)
        echo "$sum  $(echo "$tmp"/download/*.deb)" | sha256sum -c --quiet >&2 ||
            die "$label: the download's checksum is wrong"
        # The image is in /boot, since 7.x with the modules.
        dpkg-deb --fsys-tarfile "$tmp"/download/*.deb |
            tar -x -C "$tmp/unpacked" --no-same-owner --wildcards '*/vmlinuz*'
        found=$(find "$tmp/unpacked" -type f -name 'vmlinuz*' | head -n1)
        [ -n "$found" ] || die "$label: no vmlinuz in $package"
        mv "$found" "$dest/$label/vmlinuz"
        echo "$sum" >"$dest/$label/.sha256"
    fi
    if [ $update = 1 ]; then
        awk -v label="$label" -v line="$label $suite $meta $package $version $sum" \
            '$1 == label { print line; next } { print }' "$lock" >"$tmp/lock"
        cp "$tmp/lock" "$lock"
    fi
done
