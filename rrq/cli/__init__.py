"""The command `rrq`: one command group a file; `render` prints, `options` reads."""
