#!/bin/bash
# Starts a real Dovecot (IMAP, POP3) and Postfix (SMTP) for the tests, on free ports of
# 127.0.0.1, with all their files in DIR and their sockets in a short-named folder of
# their own. Prints NAME=value lines, then "ready", and ends with everything that it
# started as soon as its standard input does. So it never outlives the test that holds
# the other end, however that test dies. By hand: up.sh DIR, and Ctrl-C to end.
#
# DIR/users has one line each of NAME@DOMAIN:{PLAIN}PASSWORD::::::, and these may be there:
#   DIR/etc/aliases    @DOMAIN NAME@DOMAIN: where mail to unknown users of a domain goes
#   DIR/tls/cert.pem and key.pem   what the servers show; else they are made
#   DIR/tls/clients.pem            who may sign client certificates: with it Dovecot, submission
#                                  and smtps demand one
# Environment: HOSTS_RELAY=0 (no Postfix), HOSTS_MAXSIZE (bytes), HOSTS_FSYNC
# (never, optimized, always), HOSTS_DELIMITER (of IMAP folders), HOSTS_POLICY (a port of
# 127.0.0.1 with a Postfix policy service, asked at each RCPT TO), HOSTS_FAULTS=1 (it is asked
# at each command), HOSTS_MECHANISMS (of Dovecot and Postfix), HOSTS_QUOTA (bytes of a mailbox),
# HOSTS_CONNECTIONS (of a user at once), HOSTS_OWNSENDER=1 (a login may send only from its own
# address), HOSTS_NORELAY=1 (nobody may relay without a login), HOSTS_OLDTLS=1 (Postfix speaks
# TLS 1.1 at most), HOSTS_OAUTH (URL at which access tokens are asked about; XOAUTH2 and
# OAUTHBEARER are offered then).
#
# These recipients misbehave, at every local domain:
#   tempfail@ 450 4.7.1   full@ 452 4.2.2   nouser@ 550 5.1.1   toobig@ 552 5.3.4
#   spam@ 554 5.7.1       hangup@ 421 4.3.2 and the connection ends
#   bounced@ and bouncedfull@ are accepted, and come back as delivery status reports
#   deferred@ is accepted, and waits in the queue
set -eu
umask 022

# running says whether a process of the group $1 is alive; a zombie is not.
running() {
  local stat fields
  for stat in /proc/[0-9]*/stat; do
    { read -r stat <"$stat"; } 2>/dev/null || continue
    read -r -a fields <<<"${stat##*) }" # state, parent, group, …
    [ "${fields[2]}" != "$1" ] || [ "${fields[0]}" = Z ] || return 0
  done
  return 1
}

# up.sh --watch RUN reads the process groups that were started, and ends them when there is
# nobody left to name more: also when up.sh itself was killed. Nothing of them is kept, so
# nothing is asked to end in good order.
if [ "$1" = --watch ]; then
  groups=''
  while read -r group; do groups="$groups $group"; done
  for group in $groups; do
    kill -KILL -- "-$group" 2>/dev/null || true
    for _ in {1..250}; do running "$group" || break; sleep 0.02; done
  done
  rm -rf "$2"
  exit
fi

here=$(cd "$(dirname "$0")" && pwd)
dir=$(mkdir -p "$1" && cd "$1" && pwd)
relay=${HOSTS_RELAY:-1}
names="IMAP IMAPS POP3 POP3S"
[ "$relay" = 0 ] || names="$names SMTP SUBMISSION SMTPS"

run=$(mktemp -d /tmp/hosts.XXXXXX) # a socket's path may have 107 characters
exec 8> >(exec setsid "$here/up.sh" --watch "$run")
watch=$!
trap 'exec 8>&-; wait $watch' EXIT
trap 'exit 130' INT TERM HUP

fail() {
  echo "error=$*"
  tail -n 20 "$dir"/*.log "$dir"/*.out 2>/dev/null >&2 || true
  exit 1
}

listening() { (exec 3<>"/dev/tcp/127.0.0.1/$1") 2>/dev/null; }

# Ports below the range from which the kernel takes those of ":0" listeners and outgoing
# connections, so that only another up.sh can want the same ones; the lock sees to that.
exec 9>"/tmp/helpdesk-testhosts-$UID.lock"
flock -w 60 9 || fail "another test has been starting mail servers for a minute"
free_base() {
  for _ in {1..100}; do
    base=$((20000 + RANDOM % 1000 * 10))
    for i in {0..6}; do listening $((base + i)) && continue 2; done
    return 0
  done
  fail "no ten free ports between 20000 and 29999"
}
free_base
IMAP=$base IMAPS=$((base + 1)) POP3=$((base + 2)) POP3S=$((base + 3))
SMTP=$((base + 4)) SUBMISSION=$((base + 5)) SMTPS=$((base + 6))

mailuser=$(id -un) && [ "$UID" != 0 ] || mailuser=nobody
mailuid=$(id -u "$mailuser") mailgid=$(id -g "$mailuser")
cd "$dir"
mkdir -p etc state tls mail
chmod 755 "$dir" "$run"
[ -f tls/cert.pem ] || openssl req -x509 -newkey ec -pkeyopt ec_paramgen_curve:prime256v1 -nodes -days 3650 \
  -subj /CN=mail.test -addext 'subjectAltName=DNS:localhost,DNS:mail.test,IP:127.0.0.1' \
  -keyout tls/key.pem -out tls/cert.pem 2>tls/openssl.out || fail "openssl made no certificate"

domains=''
: >etc/mailboxes
: >etc/own
while IFS=: read -r user _; do
  domain=${user#*@}
  echo "$user ok" >>etc/mailboxes
  echo "$user $user" >>etc/own # an alias of the whole domain must not swallow its users
  mkdir -p "mail/$domain/${user%@*}"/{cur,new,tmp}
  case " $domains " in *" $domain "*) ;; *) domains="$domains $domain" ;; esac
done <users
[ "$UID" != 0 ] || chown -R "$mailuser:" mail
for domain in $domains; do
  echo "bounced@$domain error:5.1.1 <bounced@$domain>: no such user here"
  echo "bouncedfull@$domain error:5.2.2 <bouncedfull@$domain>: mailbox full"
  echo "deferred@$domain retry:4.2.2 <deferred@$domain>: mailbox busy"
  for user in bounced bouncedfull deferred; do
    echo "$user@$domain ok" >>etc/mailboxes
    echo "$user@$domain $user@$domain" >>etc/own
  done
done >etc/transport
touch etc/aliases
sort -u etc/own etc/aliases -o etc/aliases
cat >etc/refused <<REFUSED
tempfail@ 450 4.7.1 Please try again later
full@ 452 4.2.2 Mailbox full
nouser@ 550 5.1.1 No such user here
toobig@ 552 5.3.4 Message size exceeds fixed limit
spam@ 554 5.7.1 Message refused as spam
hangup@ 421 4.3.2 Service shutting down
REFUSED

policy=
[ -z "${HOSTS_POLICY:-}" ] || policy="check_policy_service inet:127.0.0.1:$HOSTS_POLICY"
fill() {
  sed -e "s|@DIR@|$dir|g" -e "s|@RUN@|$run|g" \
    -e "s|@MAILUSER@|$mailuser|g" -e "s|@MAILGROUP@|$(id -gn "$mailuser")|g" \
    -e "s|@MAILUID@|$mailuid|g" -e "s|@MAILGID@|$mailgid|g" \
    -e "s|@FSYNC@|${HOSTS_FSYNC:-never}|g" -e "s|@DELIMITER@|${HOSTS_DELIMITER:-/}|g" \
    -e "s|@MECHANISMS@|${HOSTS_MECHANISMS:-plain login cram-md5}|g" -e "s|@CONNECTIONS@|${HOSTS_CONNECTIONS:-1000}|g" \
    -e "s|@LOGINOPTIONS@|$loginoptions|g" -e "s|@MAXSIZE@|${HOSTS_MAXSIZE:-104857600}|g" -e "s|@DOMAINS@|$domains|g" -e "s|@POLICY@|$policy|g" \
    -e "s|@IMAP@|$IMAP|g" -e "s|@IMAPS@|$IMAPS|g" -e "s|@POP3@|$POP3|g" -e "s|@POP3S@|$POP3S|g" \
    -e "s|@SMTP@|$SMTP|g" -e "s|@SUBMISSION@|$SUBMISSION|g" -e "s|@SMTPS@|$SMTPS|g" "$here/${2:-$1}.in" >"etc/$1"
}

# What only some tests want, behind the common settings.
loginoptions=
dovecot_options() {
  if [ -f tls/clients.pem ]; then
    # Not for Postfix, which does not tell Dovecot of certificates.
    for protocol in imap pop3; do echo "protocol $protocol {"; echo "  auth_ssl_require_client_cert = yes"; echo "}"; done
    case $1 in
    2.3) echo "ssl_ca = <$dir/tls/clients.pem"; echo "ssl_verify_client_cert = yes"; echo "ssl_require_crl = no" ;;
    *) echo "ssl_server_ca_file = $dir/tls/clients.pem"; echo "ssl_server_request_client_cert = yes"; echo "ssl_server_require_crl = no" ;;
    esac
  fi
  [ -z "${HOSTS_OAUTH:-}" ] || oauth_options "$1"
  [ -n "${HOSTS_QUOTA:-}" ] || return 0
  case $1 in
  2.3)
    echo "mail_plugins = quota"
    echo "plugin {"; echo "  quota = maildir:all"; echo "  quota_rule = *:storage=${HOSTS_QUOTA}B"; echo "}"
    echo "protocol imap {"; echo "  mail_plugins = quota imap_quota"; echo "}"
    ;;
  *)
    echo "mail_plugins {"; echo "  quota = yes"; echo "}"
    echo "quota all {"; echo "  quota_storage_size = ${HOSTS_QUOTA}B"; echo "}"
    echo "protocol imap {"; echo "  mail_plugins {"; echo "    imap_quota = yes"; echo "  }"; echo "}"
    ;;
  esac
}
# Access tokens are looked at by asking their authorization server (RFC 7662).
oauth_options() {
  [ -n "${HOSTS_MECHANISMS:-}" ] || echo "auth_mechanisms = plain login cram-md5 xoauth2 oauthbearer"
  asking="introspection_mode = post
introspection_url = $HOSTS_OAUTH
username_attribute = email
active_attribute = active
active_value = true"
  case $1 in
  2.3)
    echo "$asking" >etc/oauth2.conf.ext
    echo "passdb {"; echo "  driver = oauth2"; echo "  mechanisms = xoauth2 oauthbearer"; echo "  args = $dir/etc/oauth2.conf.ext"; echo "}"
    ;;
  *)
    echo "oauth2 {"; echo "$asking"; echo "}"
    echo "passdb oauth2 {"; echo "  mechanisms_filter = xoauth2 oauthbearer"; echo "}"
    ;;
  esac
}
postfix_options() {
  local faults=
  if [ -n "${HOSTS_FAULTS:-}" ]; then
    faults=$policy
    echo "smtpd_delay_reject = no"
    for when in client helo data end_of_data; do echo "smtpd_${when}_restrictions = $faults"; done
  fi
  echo "smtpd_sender_restrictions = $faults ${HOSTS_OWNSENDER:+reject_sender_login_mismatch}"
  echo "smtpd_sender_login_maps = texthash:$dir/etc/own"
  [ -z "${HOSTS_NORELAY:-}" ] || echo "mynetworks ="
  [ ! -f tls/clients.pem ] || echo "smtpd_tls_CAfile = $dir/tls/clients.pem"
  if [ -n "${HOSTS_OLDTLS:-}" ]; then
    echo "smtpd_tls_protocols = >=TLSv1, <=TLSv1.1"
    echo "smtpd_tls_mandatory_protocols = >=TLSv1, <=TLSv1.1"
    echo "tls_medium_cipherlist = ALL:@SECLEVEL=0"
  fi
}

# Each server in a process group of its own.
start() {
  setsid "${@:2}" >"$1.out" 2>&1 </dev/null 8>&- 9>&- &
  echo $! >&8
  disown # else the shell reports its end
}

version=$(dovecot --version) # as 2.3.19.1 (9b53102964); 2.4 has another language
version=$(cut -d. -f1,2 <<<"$version")
[ -f "$here/dovecot-$version.conf.in" ] || fail "Dovecot $version is not known here, only 2.3 and 2.4"
fill dovecot.conf "dovecot-$version.conf"
dovecot_options "$version" >>etc/dovecot.conf
start dovecot dovecot -F -c "$dir/etc/dovecot.conf"
servers=$!
if [ "$relay" != 0 ]; then
  [ ! -f tls/clients.pem ] || loginoptions="-o smtpd_tls_req_ccert=yes -o smtpd_tls_security_level=encrypt"
  fill main.cf
  postfix_options >>etc/main.cf
  fill master.cf
  touch -d '1 hour ago' etc/* # Postfix waits until a file just written is a second old
  # What `postfix start` makes and checks for a second; all of this is new and ours.
  mkdir -p data queue/{active,bounce,corrupt,defer,deferred,flush,hold,incoming,private,saved,trace,pid,maildrop,public}
  chown postfix data queue/{active,bounce,corrupt,defer,deferred,flush,hold,incoming,private,saved,trace,maildrop,public}
  chmod 700 data queue/{active,bounce,corrupt,defer,deferred,flush,hold,incoming,private,saved,trace}
  chgrp postdrop queue/{maildrop,public} && chmod 730 queue/maildrop && chmod 710 queue/public
  start postfix "$(postconf -c etc -h daemon_directory)/master" -c "$dir/etc" -s
  servers="$servers $!"
fi

for name in $names; do
  until=$((SECONDS + 25))
  while ((SECONDS < until)); do
    listening "${!name}" && continue 2
    for pid in $servers; do kill -0 "$pid" 2>/dev/null || fail "a server ended while starting"; done
    sleep 0.02
  done
  fail "$name did not open its port ${!name} within 25 s"
done
flock -u 9

for name in $names; do echo "$name=127.0.0.1:${!name}"; done
echo "MAILUID=$mailuid"
echo "MAILGID=$mailgid"
echo ready
cat <&0 >/dev/null 8>&- & # in the background and waited for, so that a signal is heeded at once
wait $!
