//! The Lua step that enqueues, as RRQ's own client sends it.

/// The step's text: what stands before every step, what the first line of `enqueue.lua` names
/// behind its `use`, and itself, joined with line breaks. The files are copies of those in
/// `rrq/store/lua/`; a test tells when they differ.
pub(crate) const ENQUEUE: &str = concat!(
    include_str!("../lua/_base.lua"),
    "\n",
    include_str!("../lua/_wake.lua"),
    "\n",
    include_str!("../lua/_tally.lua"),
    "\n",
    include_str!("../lua/_new_job.lua"),
    "\n",
    include_str!("../lua/_plain_jobs.lua"),
    "\n",
    include_str!("../lua/_history.lua"),
    "\n",
    include_str!("../lua/_end.lua"),
    "\n",
    include_str!("../lua/_enqueue.lua"),
    "\n",
    include_str!("../lua/enqueue.lua"),
);

#[cfg(test)]
mod tests {
    use std::fs;
    use std::path::Path;

    use super::ENQUEUE;

    #[test]
    fn the_step_is_the_one_that_rrqs_own_client_sends() {
        let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../../../rrq/store/lua");
        let read = |name: &str| {
            let path = folder.join(format!("{name}.lua"));
            fs::read_to_string(&path).unwrap_or_else(|error| panic!("{}: {error}", path.display()))
        };
        let step = read("enqueue");
        let first_line = step.lines().next().unwrap();
        let used = first_line.strip_prefix("--! use ").expect("it says what it uses");

        let names = ["_base"].into_iter().chain(used.split_whitespace()).chain(["enqueue"]);
        let joined = names.map(read).collect::<Vec<_>>().join("\n");

        assert!(
            ENQUEUE == joined,
            "copy {} to crates/rrq-producer/lua/, and name them in step.rs: {used}",
            folder.display(),
        );
    }
}
