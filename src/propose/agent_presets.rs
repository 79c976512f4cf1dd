//! How an agent is started: any command, or one of the CLIs whose unattended use is documented.
//!
//! Facts about presets that the caller must respect:
//! - Standard input must be empty and closed: Codex and Gemini read it when it is no terminal and
//!   wait for its end (<https://developers.openai.com/codex/noninteractive.md>,
//!   <https://geminicli.com/docs/cli/tutorials/automation>).
//! - [`leftovers`] lists what a CLI leaves in its working directory that is no part of its change.
//! - Most presets sandbox or refuse writes outside the working directory, so the answer file may
//!   be missing although the agent wanted to write it; it is optional for that reason.

use std::path::Path;

use crate::error::{Error, Result};
use crate::flow::config_parts::{AgentPreset, AgentSpec};

/// Longest prompt that is passed as an argument, bytes. Linux refuses single arguments of 128 KiB
/// and more (`MAX_ARG_STRLEN`, execve(2)).
pub const PROMPT_ARGUMENT_MAX: usize = 120_000;

/// What placeholders are replaced with.
#[derive(Debug, Clone, Copy)]
struct Inputs<'a> {
    prompt_file: &'a str,
    brief_file: &'a str,
    prompt: &'a str,
    /// Where the prompt file lies.
    directory: &'a str,
}

/// Program and arguments for one run of the agent. `{prompt_file}`, `{brief_file}`, `{directory}`
/// (that of the prompt file) and `{prompt}` are replaced in every argument, once: a prompt that has such a word in it stays as it is.
///
/// # Errors
/// An unknown `{placeholder}` (`${NAME}`, `{}` and JSON are none), neither or both of preset and
/// command, an empty command, or a prompt too long for an argument.
pub fn command_line(
    spec: &AgentSpec,
    prompt_file: &Path,
    brief_file: &Path,
    prompt: &str,
) -> Result<Vec<String>> {
    let (prompt_path, brief_path) = (text(prompt_file)?, text(brief_file)?);
    let template: Vec<String> = match (spec.preset, &spec.command) {
        (Some(preset), None) => preset_template(preset),
        (None, Some(command)) => command.clone(),
        (Some(_), Some(_)) | (None, None) => {
            return Err(Error::usage("`agent` needs one of `preset` and `command`"));
        }
    };
    let directory = prompt_file
        .parent()
        .filter(|parent| !parent.as_os_str().is_empty());
    let directory = text(directory.unwrap_or(Path::new(".")))?;
    let inputs = Inputs {
        prompt_file: prompt_path,
        brief_file: brief_path,
        prompt,
        directory,
    };
    let arguments: Result<Vec<String>> = template
        .iter()
        .chain(&spec.args)
        .enumerate()
        .map(|(index, argument)| substitute(argument, inputs, index))
        .collect();
    let arguments = arguments?;
    match arguments.first() {
        Some(program) if !program.is_empty() => Ok(arguments),
        Some(_) | None => Err(Error::usage("`agent.command` is empty")),
    }
}

/// The program that an agent is, as it is written in the config; `None` when none is.
pub fn program(spec: &AgentSpec) -> Option<String> {
    let template = spec.preset.map(preset_template);
    template
        .or_else(|| spec.command.clone())?
        .into_iter()
        .next()
}

/// Names in the working directory, as globs, that a CLI leaves behind and that are not its change.
pub fn leftovers(preset: AgentPreset) -> &'static [&'static str] {
    match preset {
        // History, tags cache: https://aider.chat/docs/config/options.html, "History Files".
        AgentPreset::Aider => &[".aider*"],
        AgentPreset::Claude
        | AgentPreset::Codex
        | AgentPreset::Gemini
        | AgentPreset::Opencode
        | AgentPreset::Pi => &[],
    }
}

/// Where a CLI keeps its own state (login, settings, sessions), as paths of `agent.writable`. With no
/// access to it none of them starts or remembers its login.
///
/// Sources: `claude` <https://code.claude.com/docs/en/settings>, `codex`
/// <https://developers.openai.com/codex/config-advanced>, `gemini`
/// <https://geminicli.com/docs/reference/configuration>, `aider`
/// <https://aider.chat/docs/more/analytics.html>, `opencode`
/// <https://opencode.ai/docs/troubleshooting/>, `pi`
/// <https://github.com/earendil-works/pi/blob/main/packages/coding-agent/README.md>.
pub fn writable(preset: AgentPreset) -> &'static [&'static str] {
    match preset {
        AgentPreset::Claude => &["~/.claude", "~/.claude.json"],
        AgentPreset::Codex => &["~/.codex"],
        AgentPreset::Gemini => &["~/.gemini"],
        AgentPreset::Aider => &["~/.aider"],
        AgentPreset::Opencode => &[
            "~/.config/opencode",
            "~/.local/share/opencode",
            "~/.local/state/opencode",
        ],
        AgentPreset::Pi => &["~/.pi"],
    }
}

/// The preset's program and own arguments.
///
/// - `claude`: `-p` runs once without a terminal, `--permission-mode acceptEdits` lets it edit
///   files and nothing more; further tools through `args`, such as `--allowedTools Bash`.
///   `--add-dir` opens the directory of the prompt for the answer
///   (<https://code.claude.com/docs/en/permission-modes>,
///   <https://docs.claude.com/en/docs/claude-code/headless>).
/// - `codex`: `exec --sandbox workspace-write`; its `--full-auto` is deprecated in favour of that
///   (<https://developers.openai.com/codex/noninteractive.md>).
/// - `gemini`: `-p` and `--approval-mode=yolo`, the current spelling of `--yolo`. Where folder
///   trust is enabled, an untrusted folder needs `--skip-trust` in `args`
///   (<https://geminicli.com/docs/cli/tutorials/automation>,
///   <https://geminicli.com/docs/cli/trusted-folders.md>).
/// - `aider`: `--message-file` sends one message and exits, `--yes-always` answers its questions;
///   without `--no-gitignore` it would add itself to `.gitignore`, which is protected
///   (<https://aider.chat/docs/scripting.html>, <https://aider.chat/docs/config/options.html>).
/// - `opencode`: `run` takes the message as an argument and edits under the default permissions;
///   `--auto` in `args` also approves what it would ask about
///   (<https://opencode.ai/v1/docs/permissions.md>).
/// - `pi`: `-p` prints and exits, the prompt is positional
///   (<https://github.com/earendil-works/pi/blob/main/packages/coding-agent/docs/cli.md>).
fn preset_template(preset: AgentPreset) -> Vec<String> {
    let words: Vec<&str> = match preset {
        AgentPreset::Claude => vec![
            "claude",
            "-p",
            "{prompt}",
            "--add-dir",
            "{directory}",
            "--permission-mode",
            "acceptEdits",
        ],
        AgentPreset::Codex => {
            vec!["codex", "exec", "--sandbox", "workspace-write", "{prompt}"]
        }
        AgentPreset::Gemini => vec!["gemini", "--approval-mode=yolo", "-p", "{prompt}"],
        AgentPreset::Aider => vec![
            "aider",
            "--yes-always",
            "--no-auto-commits",
            "--no-dirty-commits",
            "--no-gitignore",
            "--no-check-update",
            "--message-file",
            "{prompt_file}",
        ],
        AgentPreset::Opencode => vec!["opencode", "run", "{prompt}"],
        AgentPreset::Pi => vec!["pi", "-p", "{prompt}"],
    };
    words.into_iter().map(str::to_owned).collect()
}

fn text(path: &Path) -> Result<&str> {
    path.to_str().ok_or_else(|| {
        Error::environment(format!("the path {} is not valid UTF-8", path.display()))
            .hint("set TMPDIR to a directory with a plain name")
    })
}

fn substitute(argument: &str, inputs: Inputs, index: usize) -> Result<String> {
    let mut out = String::with_capacity(argument.len());
    let mut rest = argument;
    while let Some(open) = rest.find('{') {
        let (before, tail) = rest.split_at(open);
        out.push_str(before);
        let name_end = tail[1..].find(|c: char| !(c.is_ascii_alphanumeric() || c == '_'));
        let name = name_end.map_or("", |end| &tail[1..=end]);
        let closed = name_end.is_some_and(|end| tail[1 + end..].starts_with('}'));
        let is_placeholder =
            closed && name.starts_with(|c: char| c.is_ascii_alphabetic()) && !before.ends_with('$');
        if !is_placeholder {
            out.push('{');
            rest = &tail[1..];
            continue;
        }
        out.push_str(match name {
            "prompt_file" => inputs.prompt_file,
            "brief_file" => inputs.brief_file,
            "directory" => inputs.directory,
            "prompt" if inputs.prompt.len() > PROMPT_ARGUMENT_MAX => {
                let length = inputs.prompt.len();
                return Err(Error::usage(format!("the prompt has {length} bytes"))
                    .hint("pass `{prompt_file}` instead of `{prompt}`"));
            }
            "prompt" => inputs.prompt,
            _ => {
                return Err(Error::usage(format!(
                    "`agent` argument {index} has the unknown placeholder `{{{name}}}`"
                ))
                .hint("known are {prompt_file}, {brief_file}, {directory} and {prompt}"));
            }
        });
        rest = &tail[name.len() + 2..];
    }
    out.push_str(rest);
    Ok(out)
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn preset(preset: AgentPreset, args: &[&str]) -> AgentSpec {
        let given = serde_json::json!({"preset": preset, "args": args});
        serde_json::from_value(given).unwrap()
    }

    fn command(words: &[&str]) -> AgentSpec {
        serde_json::from_value(serde_json::json!({"command": words})).unwrap()
    }

    fn line(spec: &AgentSpec) -> Result<Vec<String>> {
        command_line(
            spec,
            Path::new("/run/p.md"),
            Path::new("/run/b.json"),
            "do {it} {prompt}",
        )
    }

    #[test]
    fn each_preset_starts_its_cli_unattended() {
        for (agent, expected) in [
            (
                AgentPreset::Claude,
                "claude|-p|PROMPT|--add-dir|/run|--permission-mode|acceptEdits|--x",
            ),
            (
                AgentPreset::Codex,
                "codex|exec|--sandbox|workspace-write|PROMPT|--x",
            ),
            (
                AgentPreset::Gemini,
                "gemini|--approval-mode=yolo|-p|PROMPT|--x",
            ),
            (
                AgentPreset::Aider,
                "aider|--yes-always|--no-auto-commits|--no-dirty-commits|--no-gitignore|\
                 --no-check-update|--message-file|/run/p.md|--x",
            ),
            (AgentPreset::Opencode, "opencode|run|PROMPT|--x"),
            (AgentPreset::Pi, "pi|-p|PROMPT|--x"),
        ] {
            let words = line(&preset(agent, &["--x"])).unwrap().join("|");
            assert_eq!(words.replace("do {it} {prompt}", "PROMPT"), expected);
        }
    }

    #[test]
    fn placeholders_are_replaced_inside_arguments_and_only_once() {
        let words = line(&command(&[
            "a",
            "--x={brief_file}:{prompt_file}",
            "{prompt}",
        ]))
        .unwrap();
        assert_eq!(
            words,
            ["a", "--x=/run/b.json:/run/p.md", "do {it} {prompt}"]
        );
    }

    #[test]
    fn shell_variables_and_json_are_no_placeholders() {
        let plain = [
            "sh",
            "-c",
            "echo ${HOME} {} {\"a\":{\"b\":1}} {1} { prompt }",
            "{unclosed",
        ];
        assert_eq!(line(&command(&plain)).unwrap(), plain);
    }

    #[test]
    fn an_unknown_placeholder_is_an_error_that_names_it() {
        let error = line(&command(&["agent", "{promt}"])).unwrap_err();
        assert_eq!(
            error.render(),
            "error: `agent` argument 1 has the unknown placeholder `{promt}`\n  \
             hint: known are {prompt_file}, {brief_file}, {directory} and {prompt}"
        );
    }

    #[test]
    fn neither_both_or_an_empty_command_are_errors() {
        let mut both = command(&["a"]);
        both.preset = Some(AgentPreset::Pi);
        for spec in [both, command(&[]), command(&[""])] {
            assert!(line(&spec).is_err(), "{spec:?}");
        }
    }

    #[test]
    fn a_prompt_too_long_for_an_argument_is_an_error_unless_passed_as_a_file() {
        let long = "x".repeat(PROMPT_ARGUMENT_MAX + 1);
        let run =
            |spec: &AgentSpec| command_line(spec, Path::new("p.md"), Path::new("b.json"), &long);
        assert!(run(&preset(AgentPreset::Pi, &[])).is_err());
        assert!(run(&preset(AgentPreset::Aider, &[])).is_ok());
    }

    #[test]
    fn aiders_files_are_leftovers() {
        assert_eq!(leftovers(AgentPreset::Aider), [".aider*"]);
    }

    proptest! {
        #[test]
        fn text_without_braces_stays_as_it_is(word in "[^{]{1,40}") {
            prop_assert_eq!(&line(&command(&["a", &word])).unwrap()[1], &word);
        }

        #[test]
        fn substituting_never_panics(word in "[{}$a-c_ß\"prompt]{0,30}") {
            let _ = line(&command(&["a", &word]));
        }
    }
}
