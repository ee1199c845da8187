fn main() -> anyhow::Result<()> {
    let t = std::time::Instant::now();
    let p = profiler::load::Probes::load(&Default::default())?;
    eprintln!("{:?}", t.elapsed());
    for h in p.hooks() { eprintln!("{} {} {:?}", h.hook.name, h.attached, h.reason.as_deref().map(|s| s.chars().skip(0).collect::<String>())); }
    Ok(())
}
