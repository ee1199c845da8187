use profiler::workload::reader;

fn main() -> anyhow::Result<()> {
    // Before anything else: the reader has no use for what the profiler needs.
    if std::env::args_os()
        .nth(1)
        .is_some_and(|word| word == reader::COMMAND)
    {
        return reader::main();
    }
    Ok(())
}
