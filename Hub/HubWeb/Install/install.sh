#!/bin/sh
# Installs the Shelfcast agent on this device and joins it to the hub that served this script, as `shelfcast-hub token create` prints it:
#
#   curl -fsSk --pinnedpubkey PIN https://HUB:8443/install | sudo sh -s -- TOKEN [--label KEY=VALUE]... [--memory-budget BYTES]
#
# Without TOKEN it installs and does not join. Everything it fetches comes from the same hub, by the same key, and has the digest that stands
# here. Run again it changes nothing but what is missing. The last line starts it: a download that was cut off does nothing.

configure() {
    hub='@HUB@'
    pin='@PIN@'
    # ARCHITECTURE FORM VERSION NAME SHA256, a package a line.
    packages='@PACKAGES@'
}

say() { printf 'shelfcast: %s\n' "$*"; }
fail() {
    printf 'shelfcast: %s\n' "$*" >&2
    exit 1
}
has() { command -v "$1" >/dev/null 2>&1; }

# Debian's name of what this device runs.
find_architecture() {
    if has dpkg; then
        architecture=$(dpkg --print-architecture)
        # Some systems for older ARMs bear the same name.
        case $architecture:$(uname -m) in
        arm*:armv[456]*) fail "the agent needs an ARMv7 or newer, this device is $(uname -m). Nothing was changed." ;;
        esac
        return
    fi
    case $(uname -m) in
    x86_64) architecture=amd64 ;;
    aarch64) architecture=arm64 ;;
    armv7*) architecture=armel ;;
    *) architecture=$(uname -m) ;;
    esac
}

# Sets version, name and sha256 to the hub's package for this device.
find_package() {
    if has dpkg; then form=deb; else form=tar.gz; fi
    version=''
    while read -r its_architecture its_form its_version its_name its_sha256; do
        if [ "$its_architecture" = "$architecture" ] && [ "$its_form" = "$form" ]; then
            version=$its_version name=$its_name sha256=$its_sha256
        fi
    done <<LIST
$packages
LIST
    [ -n "$version" ] || fail "the hub $hub has no package of the agent for $architecture ($form): its operator gives 'shelfcast-hub serve --agent-packages' a directory with one ('make packages' builds them). Nothing was changed."
}

# Sets installed to the version that is here; empty: none.
find_installed() {
    installed=''
    if has dpkg; then
        # shellcheck disable=SC2016  # dpkg-query expands these, not the shell
        installed=$(dpkg-query -W -f='${db:Status-Abbrev}${Version}' shelfcast-agent 2>/dev/null) || installed=''
        case $installed in
        'ii '*) installed=${installed#ii } ;;
        *) installed='' ;;
        esac
    elif has shelfcast-agent; then
        installed=$(shelfcast-agent --version) || installed=''
        installed=${installed#shelfcast-agent }
        installed=${installed%%,*}
    fi
}

fetch() {
    curl -fsSk --pinnedpubkey "$pin" --proto '=https' --connect-timeout 15 --max-time 600 --max-filesize 67108864 -o "$work/$name" "$hub/packages/$name" ||
        fail "cannot fetch $name from $hub; nothing was changed"
    # In a file, so that busybox's sha256sum does as well.
    printf '%s  %s\n' "$sha256" "$work/$name" >"$work/sha256"
    sha256sum -c "$work/sha256" >/dev/null 2>&1 || fail "$name from $hub is not the package whose SHA-256 the hub named; nothing was changed"
}

install_debian() {
    if ! DEBIAN_FRONTEND=noninteractive dpkg --force-confold -i "$work/$name" >"$work/log" 2>&1 && has apt-get; then
        # What it depends on, from where this system has its packages.
        DEBIAN_FRONTEND=noninteractive apt-get -qq -y --no-install-recommends -f install >>"$work/log" 2>&1 || true
    fi
    find_installed
    if [ "$installed" != "$version" ]; then
        cat "$work/log" >&2
        fail "dpkg did not install $name, for the reason above"
    fi
}

# What dpkg and the package's scripts do elsewhere. A configuration that is here stays.
install_plain() {
    mkdir "$work/root"
    tar -xzf "$work/$name" -C "$work/root" || fail "cannot unpack $name"
    "$work/root/usr/bin/shelfcast-agent" --version >/dev/null 2>&1 || fail "the agent for $architecture does not run on this system, which says it is $(uname -s -r -m). Nothing was changed."
    if [ -e /etc/shelfcast/agent.toml ]; then rm -f "$work/root/etc/shelfcast/agent.toml"; fi
    (cd "$work/root" && find . ! -type d) >"$work/files"
    while read -r file; do
        file=${file#./}
        mkdir -p "/${file%/*}"
        # By another name first: a running program is not written over.
        cp -P -p "$work/root/$file" "/$file.new"
        mv -f "/$file.new" "/$file"
    done <"$work/files"
    if ! id shelfcast >/dev/null 2>&1; then
        if has useradd; then
            useradd --system --user-group --home-dir /var/lib/shelfcast --no-create-home --shell /usr/sbin/nologin shelfcast
        else
            # A group of its own: who is in it may reach the agent's socket.
            addgroup -S shelfcast && adduser -S -D -H -h /var/lib/shelfcast -G shelfcast shelfcast
        fi || fail "cannot make the user shelfcast, which the agent runs as"
    fi
    mkdir -p /var/lib/shelfcast
    chown "shelfcast:$(id -gn shelfcast)" /var/lib/shelfcast
    chmod 750 /var/lib/shelfcast
    if [ -d /run/systemd/system ]; then systemctl daemon-reload; fi
}

# Sets joined to yes or no. What root calls becomes the user of the state directory, so that what it writes is the service's.
find_joined() {
    code=0
    shelfcast-agent status >"$work/status" 2>&1 || code=$?
    case $code in
    0) joined=yes ;;
    4) joined=no ;;
    *)
        cat "$work/status" >&2
        fail "the agent cannot say whether this device has joined, for the reason above"
        ;;
    esac
}

start_service() {
    if [ ! -d /run/systemd/system ]; then
        say "this system does not run systemd: have whatever starts services here run, and keep running:"
        if has runuser; then say "  runuser -u shelfcast -- shelfcast-agent run"; else say "  su -s /bin/sh -c 'shelfcast-agent run' shelfcast"; fi
    elif [ "$changed" = yes ]; then
        systemctl enable --quiet shelfcast-agent.service
        systemctl restart shelfcast-agent.service || fail "the service did not start: see journalctl -u shelfcast-agent"
        say "the service shelfcast-agent runs"
    elif ! systemctl is-active --quiet shelfcast-agent.service; then
        say "the service shelfcast-agent does not run; systemctl start shelfcast-agent starts it"
    fi
}

main() {
    set -eu
    umask 022
    PATH=$PATH:/usr/local/sbin:/usr/sbin:/sbin
    configure
    token=''
    if [ $# -gt 0 ]; then
        token=$1
        shift
    fi
    case $token in
    -*) fail "the token comes first: ... | sudo sh -s -- TOKEN [--label KEY=VALUE]... [--memory-budget BYTES]" ;;
    esac
    [ "$(id -u)" = 0 ] || fail "this needs root: ... | sudo sh -s -- TOKEN"
    [ "$(uname -s)" = Linux ] || fail "the agent runs on Linux"
    for program in curl sha256sum mktemp; do has "$program" || fail "this needs $program; install it and run this again"; done
    work=$(mktemp -d)
    trap 'rm -rf "$work"' EXIT
    trap 'exit 1' HUP INT TERM
    changed=no

    find_architecture
    find_package
    find_installed
    if [ "$installed" = "$version" ]; then
        say "shelfcast-agent $version is installed already"
    elif [ -n "$installed" ] && has dpkg && dpkg --compare-versions "$installed" gt "$version"; then
        say "shelfcast-agent $installed is installed, which is newer than the hub's $version: it stays"
    else
        fetch
        if [ "$form" = deb ]; then install_debian; else install_plain; fi
        changed=yes
        say "installed shelfcast-agent $version ($architecture)"
    fi

    find_joined
    if [ "$joined" = yes ]; then
        if [ -n "$token" ]; then say "this device has joined already, so the token was not used; 'shelfcast-agent join TOKEN --again' makes it another device"; fi
    elif [ -n "$token" ]; then
        shelfcast-agent join "$token" "$@" || fail "the agent is installed and this device has not joined, for the reason above; put it right and run this again"
        changed=yes
        # A first visit tells the hub what this device is.
        shelfcast-agent sync >"$work/sync" 2>&1 || {
            cat "$work/sync" >&2
            say "the first visit failed, for the reason above; the agent tries again by itself"
        }
    else
        say "not joined: 'shelfcast-hub token create' on the hub prints the line to run here"
        return
    fi
    start_service
    shelfcast-agent status || true
    if [ "$changed" = no ]; then say "nothing was changed"; fi
}

# Standard input is this script: nothing that it runs may read from it.
{ main "$@" </dev/null; }
