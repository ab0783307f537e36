#!/bin/bash
# Installs the Debian packages that `make test` needs, when it may: as root, with apt-get.
# Else it names them. No daemon is started, and no installed package is removed.
# With CI=true, or without a C compiler, what is missing is a failure.
set -eu

# A file that the package brings, and the package.
wanted="
/usr/sbin/dovecot        dovecot-core
/usr/lib/dovecot/imap    dovecot-imapd
/usr/lib/dovecot/pop3    dovecot-pop3d
/usr/lib/dovecot/lmtp    dovecot-lmtpd
/usr/sbin/postconf       postfix
/usr/bin/mbsync          isync
/usr/bin/openssl         openssl
/usr/bin/systemd-analyze systemd
/usr/bin/flock           util-linux
/usr/bin/git             git
/etc/ssl/certs/ca-certificates.crt ca-certificates
"
compiler="gcc libc6-dev" # for go test -race; with RACE= there is no such test

missing() {
  while read -r file package; do
    [ -z "$file" ] || [ -e "$file" ] || printf '%s ' "$package"
  done <<<"$wanted"
  if [ -n "${RACE--race}" ]; then
    command -v "${CC:-gcc}" >/dev/null && [ -e /usr/include/stdlib.h ] || printf '%s ' "$compiler"
  fi
}

packages=$(missing)
[ -n "$packages" ] || exit 0

if [ "$(id -u)" = 0 ] && command -v apt-get >/dev/null; then
  echo "Installing for the tests: $packages"
  export DEBIAN_FRONTEND=noninteractive
  policy=/usr/sbin/policy-rc.d # its exit status 101 forbids packages to start their daemons
  log=$(mktemp)
  trap 'rm -f "$log"' EXIT
  if [ ! -e "$policy" ]; then
    trap 'rm -f "$log" "$policy"' EXIT
    printf '#!/bin/sh\nexit 101\n' >"$policy"
    chmod 755 "$policy"
  fi
  # shellcheck disable=SC2086 # a list of words
  install() {
    apt-get -q -o DPkg::Lock::Timeout=300 update &&
      # Postfix without a configuration starts at no boot either.
      echo 'postfix postfix/main_mailer_type select No configuration' | debconf-set-selections &&
      apt-get -q -y --no-install-recommends --no-remove -o DPkg::Lock::Timeout=300 install $packages
  }
  install >"$log" 2>&1 </dev/null || cat "$log" >&2
  packages=$(missing)
  [ -n "$packages" ] || exit 0
fi

echo "These Debian packages are missing: $packages" >&2
echo "Install them with:  sudo apt-get install $packages" >&2
if [ "${CI:-}" = true ]; then exit 1; fi
case "$packages" in
*gcc*)
  echo "Without a C compiler:  make test RACE=  (does not look for data races)" >&2
  exit 1
  ;;
esac
echo "Tests that need the missing programs are skipped." >&2
