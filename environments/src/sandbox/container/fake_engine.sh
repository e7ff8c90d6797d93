#!/bin/bash
# Docker, as far as the sandbox uses it, for tests: its containers are processes of this machine, in a
# process and a mount namespace. An image is `absent`, `broken`, or a folder that becomes `/testbed`.
here=$(dirname "$0")
forget() {
  rm -f "$here/running/$1" "$here/said/$1"
  rmdir "$here/roots/$1" 2>/dev/null
}
line="$*"
echo "${line%% -c *}" >> "$here/calls"
case "$1" in
ps)
  if [ -e "$here/is-down" ]; then
    echo "Cannot connect to the Docker daemon at unix:///var/run/docker.sock. Is the docker daemon running?" >&2
    exit 1
  fi
  cat "$here/listed" 2>/dev/null
  exit 0
  ;;
rm)
  name=${*: -1}
  pid=$(cat "$here/running/$name" 2>/dev/null) || exit 0
  kill -9 "$pid" 2>/dev/null
  while kill -0 "$pid" 2>/dev/null; do sleep 0.01; done
  forget "$name"
  exit 0
  ;;
esac
shift
variables=("PATH=$PATH" HOME=/tmp)
while [ $# -gt 0 ]; do
  case "$1" in
  -i | --rm | --read-only) shift ;;
  --name) name=$2 && shift 2 ;;
  --entrypoint) program=$2 && shift 2 ;;
  -e) variables+=("$2") && shift 2 ;;
  -*) shift 2 ;;
  *) image=$1 && shift && break ;;
  esac
done
if [ "$image" = absent ]; then
  echo "Unable to find image 'absent' locally" >&2
  echo "docker: Error response from daemon: pull access denied for absent" >&2
  echo >&2
  echo "Run 'docker run --help' for more information" >&2
  exit 125
fi
[ "$image" = broken ] && program=/nonexistent/python3
mkdir -p "$here/running" "$here/said" "$here/roots/$name"
inside='
root=$1 image=$2 && shift 2
mount -t tmpfs tmpfs "$root"
for entry in /*; do
  case "$entry" in
  /tmp | /testbed) ;;
  *) if [ -L "$entry" ]; then cp -P "$entry" "$root$entry"
     elif [ -d "$entry" ]; then mkdir "$root$entry" && mount --rbind "$entry" "$root$entry"; fi ;;
  esac
done
mkdir "$root/tmp" "$root/testbed" "$root/workspace"
if [ -d "$image" ]; then cp -r "$image/." "$root/testbed"; fi
exec chroot "$root" env -C /tmp -i "$@"
'
unshare --map-root-user --mount --pid --fork --kill-child --mount-proc \
  bash -c "$inside" inside "$here/roots/$name" "$image" "${variables[@]}" "$program" "$@" \
  <&0 2> "$here/said/$name" &
echo $! > "$here/running/$name"
wait $!
code=$?
# It cannot end as its child did that was killed, and says so.
if grep -q "^unshare: " "$here/said/$name"; then code=137; fi
cat "$here/said/$name" >&2
forget "$name"
exit $code
