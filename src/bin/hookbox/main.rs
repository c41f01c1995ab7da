//! The `hookbox` shell: the library's calls as commands (docs/shell.md).
#![forbid(unsafe_code)]
#![warn(clippy::pedantic)]

mod api_keys;
mod apps;
mod args;
mod boxes;
mod demo;
mod demo_receiver;
mod emit;
mod failure;
mod output;
mod records;
mod run;
mod serve;
mod spans;
mod upkeep;
mod verify;
mod views;
mod webhooks;

use std::process::ExitCode;

use clap::Parser;

use args::{Cli, Command};
use failure::{Failure, Outcome};
use output::Output;

fn main() -> ExitCode {
    let (json, done) = match Cli::try_parse() {
        Ok(cli) => (cli.global.json, dispatch(cli)),
        Err(error) => {
            // Nothing is parsed, but a program that asked for JSON is to get it.
            let json = std::env::args_os().any(|arg| arg == "--json");
            (json, refused_by_parser(&error, json))
        }
    };
    match done {
        Ok(()) => ExitCode::SUCCESS,
        Err(failure) => {
            failure.print(json);
            ExitCode::from(failure.exit_code())
        }
    }
}

/// A value that the library refused while it was parsed (a malformed id, say) keeps the library's
/// code; for the rest the parser prints help, version or usage itself, unless JSON was asked for.
fn refused_by_parser(error: &clap::Error, json: bool) -> Outcome {
    use std::error::Error as _;
    if let Some(refused) = error.source().and_then(|source| source.downcast_ref()) {
        let refused: &hookbox::Error = refused;
        return Err(Failure::Refused(refused.clone()));
    }
    if json && error.use_stderr() {
        return Err(Failure::Usage(error.to_string().trim().to_owned()));
    }
    error.exit()
}

fn dispatch(cli: Cli) -> Outcome {
    let global = &cli.global;
    let out = Output { json: global.json };
    match cli.command {
        Command::Demo => demo::demo(out),
        Command::App(command) => apps::app(global, out, command),
        Command::Webhook(command) => webhooks::webhook(global, out, command),
        Command::EventType(command) => apps::event_type(global, out, command),
        Command::Key(command) => apps::key(global, out, command),
        Command::ApiKey(command) => api_keys::api_key(global, out, command),
        Command::Jwks { app } => apps::jwks(global, &app),
        Command::Emit(args) => emit::emit(global, out, args),
        Command::Run(args) => run::run(global, out, &args),
        Command::Serve(args) => serve::serve(global, out, &args),
        Command::Events(args) => records::events(global, out, args),
        Command::Batches(args) => records::batches(global, out, args),
        Command::Attempts(args) => records::attempts(global, out, args),
        Command::Backlog { app } => records::backlog(global, out, &app),
        Command::Explain { id } => records::explain(global, out, &id),
        Command::Resend { app, batch } => records::resend(global, out, &app, &batch),
        Command::Cancel { app, batch } => records::cancel(global, out, &app, &batch),
        Command::Replay {
            app,
            webhook,
            since,
        } => records::replay(global, out, &app, &webhook, since),
        Command::Verify(args) => verify::verify(out, &args),
        Command::Check => upkeep::check(global, out),
        Command::Prune { older_than } => upkeep::prune(global, out, older_than),
        Command::Stats => upkeep::stats(global, out),
        Command::Reseal => upkeep::reseal(global, out),
        Command::Backup { file } => upkeep::backup(global, out, &file),
    }
}
