#!/bin/sh
# install.sh DESTDIR PREFIX SYSCONFDIR STATEDIR LIBEXECDIR PLUGINDIR SKILLDIR BUILD
set -eu
dest=$1 prefix=$2 sysconf=$3 state=$4 libexec=$5 plugins=$6 skills=$7 build=$8
put() { install -D -m "$1" "$2" "$dest$3"; }
put 755 "$build/c9d" "$prefix/sbin/c9d"
put 755 "$build/c9ctl" "$prefix/bin/c9ctl"
put 755 "$build/c9d-zygote" "$libexec/c9d-zygote"
for so in "$build"/plugins/*.so; do put 755 "$so" "$plugins/$(basename "$so")"; done
put 644 core/abi/plugin.h "$prefix/include/c9d/plugin.h"
(cd skills && find . -type f) | while read -r f; do put 644 "skills/$f" "$skills/$f"; done
[ -e "$dest$sysconf/c9d/c9d.conf" ] || put 640 packaging/c9d.conf "$sysconf/c9d/c9d.conf"
install -d -m 755 "$dest$sysconf/c9d/conf.d"
install -d -m 700 "$dest$state/c9d"
for page in packaging/man/*.[158]; do
    [ -e "$page" ] && put 644 "$page" "$prefix/share/man/man${page##*.}/$(basename "$page")"
done
for file in packaging/completion/*.bash; do
    [ -e "$file" ] && put 644 "$file" "$prefix/share/bash-completion/completions/$(basename "$file" .bash)"
done
put 644 packaging/c9d.service "$prefix/lib/systemd/system/c9d.service"
sed -i "s|/usr/sbin/c9d|$prefix/sbin/c9d|" "$dest$prefix/lib/systemd/system/c9d.service"
