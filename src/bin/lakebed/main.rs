//! The command line of lakebed. Kind: edge.
//!
//! Everything goes through the library's public API. Results go to stdout, all else to stderr.

mod allocator;
mod alter;
mod args;
mod change;
mod changes;
mod copies;
mod demo;
mod doctor;
mod failure;
mod log_care;
mod look;
mod merge;
mod optimize;
mod output;
mod progress;
mod restore;
mod row_changes;
mod rows;
mod session;
#[cfg(feature = "sql")]
mod sql;
mod stop;
mod vacuum;

use args::{Cli, Command, Global, LogCommand, LogFormat, When};
use clap::{CommandFactory, Parser};
use failure::{Failure, Result, caught};
use session::Session;
use std::io::{IsTerminal, stderr};
use std::process::ExitCode;
use tracing::Level;
use tracing_subscriber::EnvFilter;
use tracing_subscriber::fmt::format::Writer;
use tracing_subscriber::fmt::{FmtContext, FormatEvent, FormatFields};
use tracing_subscriber::registry::LookupSpan;

fn main() -> ExitCode {
    let cli = match Cli::try_parse() {
        Ok(cli) => cli,
        Err(e) => return misused(&e),
    };
    let as_json = cli.global.format == args::Format::Json;
    let colour = coloured(&cli.global);
    start_log(&cli.global, colour);
    let report = move |failure: Failure| failure.report(as_json, colour);
    match caught(|| run(&cli, report)) {
        Ok(()) => ExitCode::SUCCESS,
        Err(failure) => {
            let exit_code = failure.exit_code();
            report(failure);
            ExitCode::from(exit_code)
        }
    }
}

fn run(cli: &Cli, report: impl FnOnce(Failure) + Send + 'static) -> Result<()> {
    match &cli.command {
        Command::Completions { shell } => {
            let mut script = Vec::new();
            clap_complete::generate(*shell, &mut Cli::command(), "lakebed", &mut script);
            return output::print(&String::from_utf8_lossy(&script));
        }
        Command::Man { command } => return manual(command),
        _ => {}
    }
    let session = Session::new(&cli.global);
    allocator::keep_little(session.env.memory().limit());
    let runtime = tokio::runtime::Builder::new_multi_thread()
        .worker_threads(session.env.threads().max(2))
        .enable_all()
        .build()
        .map_err(|e| Failure::Panicked(format!("the runtime cannot start: {e}")))?;
    #[allow(clippy::disallowed_methods)] // the one place that waits for all of it
    let outcome = runtime.block_on(async {
        let heard = session.stop.listen(&session.env, report);
        let _signals = heard.map_err(|e| Failure::Panicked(format!("signals cannot be heard: {e}")))?;
        session.stop.run(command(&session, &cli.command)).await
    });
    // Whatever mattered has ended; a thread may still wait for standard input.
    runtime.shutdown_background();
    outcome
}

async fn command(session: &Session, command: &Command) -> Result<()> {
    match command {
        Command::Info { table, exact } => look::info(session, table, *exact).await,
        Command::History { table, limit } => look::history(session, table, *limit).await,
        Command::Files { table, filter } => look::files(session, table, filter.as_deref()).await,
        Command::Log(LogCommand::Dump { table, from }) => look::dump(session, table, *from).await,
        Command::Log(LogCommand::Compact { table, dry_run, prices }) => {
            log_care::compact(session, table, *dry_run, prices.as_deref()).await
        }
        Command::Log(LogCommand::Cleanup { table, dry_run, prices }) => {
            log_care::cleanup(session, table, *dry_run, prices.as_deref()).await
        }
        Command::Scan { table, columns, filter, limit, output } => {
            let wanted = rows::Wanted { columns: columns.as_deref(), filter: filter.as_deref(), limit: *limit };
            rows::scan(session, table, wanted, output.as_deref()).await
        }
        Command::Count { table, filter } => rows::count(session, table, filter.as_deref()).await,
        Command::Create(new) => change::create(session, new).await,
        Command::Append(rows) => change::append(session, rows).await,
        #[cfg(feature = "sql")]
        Command::Sql { statement, table, if_version } => sql::run(session, statement, table, *if_version).await,
        Command::Changes(wanted) => changes::changes(session, wanted).await,
        Command::Delete(asked) => row_changes::delete(session, asked).await,
        Command::Update(asked) => row_changes::update(session, asked).await,
        Command::Merge(wanted) => merge::merge(session, wanted).await,
        Command::Alter(alter) => alter::run(session, alter).await,
        Command::Optimize(asked) => optimize::run(session, asked).await,
        Command::Vacuum(vacuum) => vacuum::run(session, vacuum).await,
        Command::Restore(asked) => restore::restore(session, asked).await,
        Command::Diff { table, from, to } => restore::diff(session, table, *from, *to).await,
        Command::Clone(asked) => copies::clone(session, asked).await,
        Command::Convert(asked) => copies::convert(session, asked).await,
        Command::Manifest { table } => copies::manifest(session, table).await,
        Command::Checkpoint { table } => change::checkpoint(session, table).await,
        Command::Doctor(asked) => doctor::doctor(session, asked).await,
        Command::Demo { dir } => demo::run(session, dir.as_deref()).await,
        Command::Completions { .. } | Command::Man { .. } => Ok(()),
    }
}

/// Help and version are results; everything else is told like other failures.
fn misused(e: &clap::Error) -> ExitCode {
    if !e.use_stderr() {
        return match e.print() {
            Ok(()) => ExitCode::SUCCESS,
            Err(_) => ExitCode::from(u8::from(!output::pipe_is_broken())),
        };
    }
    // The arguments could not be read, so only their text can tell which form is wanted.
    let words: Vec<_> = std::env::args_os().collect();
    let as_json = words.windows(2).any(|w| w[0] == "--format" && w[1] == "json") || words.iter().any(|w| w == "--format=json");
    if as_json {
        let text = e.to_string();
        let message = text.strip_prefix("error: ").unwrap_or(&text).trim_end().to_owned();
        Failure::Usage(message).report(true, false);
    } else {
        let _ = e.print();
    }
    ExitCode::from(2)
}

fn manual(names: &[String]) -> Result<()> {
    let mut command = Cli::command();
    command.build();
    for (i, name) in names.iter().enumerate() {
        let found = command.get_subcommands().find(|c| c.get_name() == name).cloned();
        let found = found.ok_or_else(|| Failure::Usage(format!("there is no command `{}`", names.join(" "))))?;
        command = found.display_name(format!("lakebed-{}", names[..=i].join("-")));
    }
    let mut page = Vec::new();
    clap_mangen::Man::new(command).render(&mut page)?;
    output::print(&String::from_utf8_lossy(&page))
}

fn coloured(global: &Global) -> bool {
    match global.color {
        When::Always => true,
        When::Never => false,
        When::Auto => stderr().is_terminal() && std::env::var_os("NO_COLOR").is_none_or(|v| v.is_empty()),
    }
}

/// Log lines as people read them: `warning: what happened key=value`.
struct PlainLines;

impl<S, N> FormatEvent<S, N> for PlainLines
where
    S: tracing::Subscriber + for<'a> LookupSpan<'a>,
    N: for<'a> FormatFields<'a> + 'static,
{
    fn format_event(&self, context: &FmtContext<'_, S, N>, mut writer: Writer<'_>, event: &tracing::Event<'_>) -> std::fmt::Result {
        let level = match *event.metadata().level() {
            Level::ERROR => "error",
            Level::WARN => "warning",
            Level::INFO => "info",
            Level::DEBUG => "debug",
            Level::TRACE => "trace",
        };
        write!(writer, "{level}: ")?;
        context.format_fields(writer.by_ref(), event)?;
        writeln!(writer)
    }
}

fn start_log(global: &Global, colour: bool) {
    let level = match global.verbose {
        _ if global.quiet => "off",
        0 => "error,lakebed=warn",
        1 => "warn,lakebed=info",
        2 => "info,lakebed=debug",
        _ => "debug,lakebed=trace",
    };
    let filter = match std::env::var("RUST_LOG") {
        Ok(text) if !text.is_empty() && !global.quiet && global.verbose == 0 => {
            EnvFilter::try_new(text).unwrap_or_else(|_| EnvFilter::new(level))
        }
        _ => EnvFilter::new(level),
    };
    let log = tracing_subscriber::fmt().with_env_filter(filter).with_writer(stderr).with_ansi(colour);
    match global.log_format {
        LogFormat::Text => log.event_format(PlainLines).init(),
        LogFormat::Json => log.json().init(),
    }
}
