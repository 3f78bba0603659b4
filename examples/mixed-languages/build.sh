#!/bin/sh
# Builds the executors in Rust, Go and TypeScript: needs cargo, go and npm.
set -eu
cd "$(dirname "$0")"
mkdir -p bin

# Without optimisation, as for development; it shares what reference/rust has built.
cargo build --quiet --locked --manifest-path rust/Cargo.toml
cp "${CARGO_TARGET_DIR:-../../reference/rust/target}/debug/greetings" bin/greetings-rust

go -C go build -o ../bin/greetings-go .

# The package `rrq` is not published: it is built where it lies, and linked from there.
for package in ../../reference/typescript typescript; do
  if [ ! -e "$package/node_modules/.package-lock.json" ] ||
    [ "$package/package-lock.json" -nt "$package/node_modules/.package-lock.json" ]; then
    npm --prefix "$package" ci --silent --no-audit --no-fund
  fi
  npm --prefix "$package" run --silent build
done
