//! `autoresearch man`.

use clap::{Command, CommandFactory};
use clap_mangen::Man;
use clap_mangen::roff::{Roff, roman};

use super::Global;
use crate::cli::{Cli, ManArgs};
use crate::edge::output;
use crate::error::{Context, Error, Result};
use crate::exit::Exit;

/// Prints one page, or writes all of them.
///
/// # Errors
/// There is no such command, or a page cannot be written.
pub fn run(global: &Global, args: &ManArgs) -> Result<Exit> {
    let program = program();
    let Some(out) = &args.out else {
        super::print(&page(named(&program, args.page.as_deref())?)?)?;
        return Ok(Exit::Ok);
    };
    let directory = global.directory.join(out);
    let commands: Vec<&Command> = std::iter::once(&program)
        .chain(program.get_subcommands())
        .collect();
    for command in &commands {
        let name = Man::new((*command).clone()).get_filename();
        output::write_in(&directory, name, page(command)?.as_bytes())?;
    }
    if !global.quiet {
        eprintln!("wrote {} pages to {}", commands.len(), directory.display());
    }
    Ok(Exit::Ok)
}

/// The program's definition with the names that the pages have.
fn program() -> Command {
    let mut program = Cli::command().disable_help_subcommand(true);
    program.build();
    program
}

fn named<'a>(program: &'a Command, name: Option<&str>) -> Result<&'a Command> {
    match name {
        None => Ok(program),
        Some(name) => program
            .find_subcommand(name)
            .ok_or_else(|| Error::usage(format!("there is no command {name:?}"))),
    }
    .map_err(|error| error.hint("`autoresearch --help` lists them"))
}

/// The page of one command. What `--help` says below the flags becomes sections of its own, whose
/// examples keep their lines.
fn page(command: &Command) -> Result<String> {
    let man = Man::new(command.clone())
        .source(concat!("autoresearch ", env!("CARGO_PKG_VERSION")))
        .manual("autoresearch manual");
    let mut bytes = Vec::new();
    let mut render = || -> std::io::Result<()> {
        man.render_title(&mut bytes)?;
        man.render_name_section(&mut bytes)?;
        man.render_synopsis_section(&mut bytes)?;
        man.render_description_section(&mut bytes)?;
        man.render_options_section(&mut bytes)?;
        if command.has_subcommands() {
            man.render_subcommands_section(&mut bytes)?;
        }
        closing(command).to_writer(&mut bytes)
    };
    render().context(|| "cannot write a manual page".to_owned())?;
    Ok(String::from_utf8_lossy(&bytes).into_owned())
}

/// A block of the help that begins with `Title:` is a section with its lines as they are; the others
/// are notes.
fn closing(command: &Command) -> Roff {
    let mut roff = Roff::new();
    let help = command
        .get_after_long_help()
        .or_else(|| command.get_after_help())
        .map(ToString::to_string)
        .unwrap_or_default();
    let mut has_notes = false;
    for block in help.split("\n\n").filter(|block| !block.is_empty()) {
        match block.split_once(":\n") {
            Some((title, lines)) if !title.contains('\n') => {
                roff.control("SH", [title.to_uppercase().as_str()]);
                roff.control("nf", []);
                for line in lines.lines() {
                    roff.text([roman(line)]);
                }
                roff.control("fi", []);
                has_notes = false;
            }
            Some(_) | None => {
                if has_notes {
                    roff.control("PP", []);
                } else {
                    roff.control("SH", ["NOTES"]);
                }
                for line in block.lines() {
                    roff.text([roman(line)]);
                }
                has_notes = true;
            }
        }
    }
    roff
}
