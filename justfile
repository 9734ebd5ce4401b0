# Everyday commands. Everything here is cargo or one line of shell: `just` is a comfort, not a need.

# show this list
default:
    @just --list

# everything that must hold, interop included: the README's test command
test *ARGS:
    cargo test --workspace --locked {{ARGS}}

# only the tests against other implementations: stock libraries and services
interop *ARGS:
    cargo test -p coldsign-interop --locked {{ARGS}}

# only the guards on floors, reach, dependencies, rule ids and documents
house:
    cargo test -p coldsign --test house --locked

# an act killed and failed at every system call that touches store or output (needs strace; minutes)
crash:
    CRASH=all cargo test -p coldsign --test crash --locked -- --nocapture

# every byte of a store changed, every truncation, deletion and exchange (most of an hour)
corruption:
    CORRUPTION=all cargo test --release -p coldsign --test corruption --locked -- --nocapture

# whatever an attacker puts in the place of any file of a store, and every act on it (minutes)
tampering:
    TAMPERING=all cargo test -p coldsign --test tampering --locked -- --nocapture

# what is left of the secrets in a process's memory (needs strace)
memory:
    cargo test -p coldsign --test secrets --locked -- --ignored --nocapture memory

# rotation under the worst that a policy's promises allow: a hundred thousand schedules
simulate SCHEDULES='100000':
    SCHEDULES={{SCHEDULES}} cargo test -p coldsign --release --locked --test simulation -- --nocapture

# mutated tokens, key sets, roots, bundles and receipts: our verifier and an oracle in Python must agree (minutes)
differential CASES='100000' SEED='1':
    CASES={{CASES}} SEED={{SEED}} cargo test -p coldsign-interop --locked --test differential -- --nocapture

# a throwaway store, keys, tokens, a publication, and a look at each
demo:
    cargo run --release --locked -- demo

# format in place, then what CI says of the code
lint:
    cargo fmt --all
    cargo clippy --workspace --all-targets --locked -- -D warnings
    cargo clippy -p coldsign-verify --no-default-features --all-targets --locked -- -D warnings

# the API documentation, as CI builds it: target/doc/coldsign_verify/index.html
doc:
    RUSTDOCFLAGS='-D warnings' cargo doc --workspace --no-deps --locked

# bans, licences and sources of all dependencies (needs cargo-deny)
deny:
    cargo deny --all-features --locked check bans licenses sources

# what CI does, from the first step to the last
ci:
    .ci/run

# what our code costs on top of the cryptography, as ratios; or a part: tokens, processes, journal
bench *PARTS:
    cargo bench -p coldsign --bench ratios --locked -- {{PARTS}}

# the manual pages, written to DIR
man DIR:
    mkdir -p '{{DIR}}'
    cargo run --release --locked -- man --to '{{DIR}}'

# the program to carry to the isolated machine: static, checked where there is nothing else
appliance:
    .ci/appliance

# the same check again for a folder that is there
appliance-check FOLDER:
    .ci/appliance check '{{FOLDER}}'

# both binaries for this machine: small, stripped, with their digests
dist:
    cargo build --profile dist --locked --bin coldsign
    cargo build --profile dist --locked -p coldsign-gate
    cd target/dist && sha256sum coldsign coldsign-gate
