#!/bin/sh
# Starts Redis with one user, `locus`, who may do what docs/state.md lists and nothing else.
# REDIS_PASSWORD is that user's password: letters and digits, at least 16.
set -eu
umask 077
case "${REDIS_PASSWORD:-}" in
  "" | *[!A-Za-z0-9]*) echo "REDIS_PASSWORD must be letters and digits." >&2; exit 64 ;;
esac
[ "${#REDIS_PASSWORD}" -ge 16 ] || { echo "REDIS_PASSWORD is shorter than 16 characters." >&2; exit 64; }
run=${REDIS_RUN:-/run/redis}
commands="+auth +blpop +del +exec +exists +get +getdel +hgetall +hincrby +incr +info +lrange +lrem +ltrim +multi \
  +pexpire +ping +pttl +publish +rpush +sadd +scan +scard +select +set +smembers +srem +subscribe +type \
  +unsubscribe +unwatch +watch +xack +xadd +xclaim +xdel +xgroup +xinfo +xlen +xpending +xrange +xreadgroup \
  +xtrim +zadd +zcard +zincrby +zrange +zrangebyscore +zrem +zremrangebyrank +zremrangebyscore +zrevrange \
  +zrevrangebyscore +zscore"
printf 'user default off -@all\nuser locus on >%s ~%s:* resetchannels &%s:* -@all %s\n' \
  "$REDIS_PASSWORD" "${REDIS_PREFIX:-locus}" "${REDIS_PREFIX:-locus}" "$commands" > "$run/users.acl"
unset REDIS_PASSWORD
exec redis-server "${REDIS_CONF:-/etc/redis/redis.conf}" "$@"
