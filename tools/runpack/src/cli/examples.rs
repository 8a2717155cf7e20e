//! What stands at the end of each verb's help.

pub(super) const ALL: &str = "Examples:
  runpack load alpine.tar                       an archive of docker save, podman save or skopeo
  runpack load oci:/srv/images:web -t web:1     from an OCI layout, under another name
  runpack pack -t tools --bin sh ls cat         an image of this machine's own programs
  debootstrap stable root && tar -C root -c . | runpack import - debian
  runpack unpack alpine root                    its files, in a directory
  runpack images -q tools | runpack rmi -       what the one lists the other takes

See runpack VERB --help for each verb; runpack completions bash and runpack man print those.";

pub(super) const LOAD: &str = "Examples:
  runpack load alpine.tar                       an archive of docker save, podman save or skopeo
  runpack load -i alpine.tar                    the same, as with docker
  zstd -dc alpine.tar.zst | runpack load        from standard input
  runpack load oci:/srv/images:web -t web:1     one image of an OCI layout, under another name";

pub(super) const IMPORT: &str = "Examples:
  debootstrap stable root && tar -C root -c . | runpack import - debian
  runpack import -c 'CMD [\"/bin/sh\"]' -c 'ENV LANG=C.UTF-8' root.tar.gz base:1";

pub(super) const ABOUT_PACK: &str =
    "Make an image of programs of this machine, with the libraries and interpreters they need

A program keeps its path. What it opens as data, or a script calls, cannot be known: --add takes that along. The same programs make the \
same image, digest and all; its time is $SOURCE_DATE_EPOCH, or none.";

pub(super) const PACK: &str = "Examples:
  runpack pack -t tools --bin sh ls cat ps      a small Unix
  runpack pack -t web --bin ./server --cmd 'server 8080' --expose 8080 --add ./site:/data
  runpack pack -t py --bin python3.11 --add /usr/lib/python3.11";

pub(super) const UNPACK: &str = "Examples:
  runpack unpack alpine root                    one root file system
  runpack unpack ./alpine.tar root              of an archive that is not loaded
  runpack unpack --layout=overlay alpine layers  prints the lowerdir= of a mount
  runpack unpack --layout=bundle alpine b && runc run -b b x";

pub(super) const SAVE: &str = "Examples:
  runpack save -o alpine.tar alpine             for load here, in docker or in podman
  runpack save alpine web:1 | ssh host runpack load
  runpack images -q | runpack save - > all.tar  what the one lists the other takes";

pub(super) const IMAGES: &str = "Examples:
  runpack images                                a table, as docker's
  runpack images 'team/*'                       those of a pattern
  runpack images -q -f dangling=true | runpack rmi -
  runpack images --jsonl | jq -r .Size";

pub(super) const INSPECT: &str = "Examples:
  runpack inspect alpine | jq '.[0].Config'
  runpack images -q | runpack inspect - | jq -r '.[].RepoTags[]'";

pub(super) const HISTORY: &str = "Examples:
  runpack history alpine
  runpack history --no-trunc --jsonl alpine | jq -r .CreatedBy";

pub(super) const TAG: &str = "Examples:
  runpack tag alpine localhost:5000/alpine:3
  runpack tag 0a1b2c3d web                      by the beginning of an ID";

pub(super) const RMI: &str = "Examples:
  runpack rmi alpine web:1                      each name; the image goes with its last one
  runpack rmi -f 0a1b2c3d                       all names of an image
  runpack images -q -f dangling=true | runpack rmi -";

pub(super) const GC: &str = "Examples:
  runpack gc                                    what no image has, and what killed commands left
  runpack gc --dry-run                          what there is";
