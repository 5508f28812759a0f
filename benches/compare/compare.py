#!/usr/bin/env python3
"""Runs lakebed and its peers side by side and writes spec/bench.md. usage: compare.py DATA BINARIES OUT [OP…]

Each operation of each engine runs in a fresh process, engines in turn, RUNS times after one warm-up; quoted are medians of CPU seconds (user + system, of the
process and its children) and of peak resident memory, as the operating system accounts for a finished process.
"""
import json
import os
import pathlib
import platform
import resource
import shutil
import statistics
import subprocess
import sys
import tempfile

RUNS = int(os.environ.get("RUNS", "5"))
DATA, BIN, OUT = pathlib.Path(sys.argv[1]), pathlib.Path(sys.argv[2]), pathlib.Path(sys.argv[3])
ONLY = sys.argv[4:]
HERE = pathlib.Path(__file__).parent
LAKEBED, OPS = BIN / "lakebed", BIN / "compare"


def measure(command, env=None):
    """(CPU seconds, peak MiB, elapsed seconds, last line of output) of one process, started by a small helper so that its own accounting is read."""
    helper = ("import os,sys,subprocess,resource,json,time;t=time.monotonic();"
              "p=subprocess.run(sys.argv[1:],stdout=subprocess.PIPE,text=True);t=time.monotonic()-t;u=resource.getrusage(resource.RUSAGE_CHILDREN);"
              "print(json.dumps([p.returncode,u.ru_utime+u.ru_stime,u.ru_maxrss/1024,t,p.stdout.strip().splitlines()[-1:] or ['']]))")
    done = subprocess.run([sys.executable, "-S", "-c", helper, *map(str, command)], stdout=subprocess.PIPE, text=True, env={**os.environ, **(env or {})}, check=True)
    code, cpu, peak, elapsed, last = json.loads(done.stdout)
    if code:
        raise RuntimeError(f"exit {code}: {command}")
    return cpu, peak, elapsed, last[0]


def peer(op, *args):
    return [sys.executable, HERE / "peers.py", op, *args]


class Op:
    """`engines`: {name: command}; `prepare` gets a scratch folder (and, as a dict, an engine's own) and gives the table's path for `{t}`. With `written` the bytes of
    the files that the operation adds to the table are counted too."""

    def __init__(self, name, goal, engines, prepare=None, same=True, inside=False, written=False):
        self.name, self.goal, self.engines, self.prepare, self.same, self.inside = name, goal, engines, prepare, same and not inside, inside
        self.written = written

    def run(self):
        samples = {e: [] for e in self.engines}
        for turn in range(RUNS + 1):
            answers = {}
            for engine, command in self.engines.items():
                with tempfile.TemporaryDirectory(dir=DATA) as scratch:
                    prepare = self.prepare[engine] if isinstance(self.prepare, dict) else self.prepare
                    table = prepare(pathlib.Path(scratch)) if prepare else None
                    before = sizes(table) if self.written else {}
                    cpu, peak, elapsed, last = measure([str(c).replace("{t}", str(table)) for c in command])
                    added = sum(size for path, size in sizes(table).items() if path not in before) if self.written else 0
                answers[engine] = last
                if self.inside:  # the process itself says how much CPU the step took, in microseconds
                    cpu = int(last) / 1e6
                if turn:
                    samples[engine].append((cpu, peak, added, elapsed))
            if self.same and len({a for e, a in answers.items() if a}) > 1:
                raise RuntimeError(f"{self.name}: the engines disagree: {answers}")
        median = lambda v, i: statistics.median(s[i] for s in v)
        return {e: (median(v, 0), median(v, 1), min(s[0] for s in v), max(s[0] for s in v), median(v, 2), median(v, 3)) for e, v in samples.items()}


def sizes(table):
    """Bytes of every file of a table, its log included."""
    return {p: p.stat().st_size for p in pathlib.Path(table).rglob("*") if p.is_file()}


def copy_of(name):
    def prepare(scratch):
        shutil.copytree(DATA / name, scratch / "t")
        return scratch / "t"
    return prepare


def linked(name):
    """A copy whose files are links, so that 100,000 of them are made quickly and deleting them harms nothing."""
    def prepare(scratch):
        subprocess.run(["cp", "-al", DATA / name, scratch / "t"], check=True)
        return scratch / "t"
    return prepare


def ten_commits_more(name):
    def prepare(scratch):
        table = copy_of(name)(scratch)
        subprocess.run([OPS, "append-rows", table, "10"], check=True, stdout=subprocess.DEVNULL)
        return table
    return prepare


def fresh(scratch):
    return scratch / "t"


million, tail, long = DATA / "million", DATA / "tail", DATA / "long"
checkpoint = million / "_delta_log" / f"{10:020d}.checkpoint.parquet"
lines = DATA / "lineitem-table"
sorted_million = DATA / "million-sorted"
PART, STAT = "day = DATE'2024-03-05'", "id BETWEEN 500000000 AND 500999999"
RANGE = "l_shipdate BETWEEN DATE'1994-01-01' AND DATE'1994-01-07'"


def ops():
    lb = lambda op, table, *rest: [OPS, op, table, *rest]
    yield Op("log of 1,000,000 files: version and schema", "CPU ≤ 1/100, memory ≤ 1/6 of deltalake",
             {"lakebed": lb("version", million), "deltalake": peer("version", million)})
    yield Op("…: plan with a partition filter", "CPU ≤ 1/12, memory ≤ 1/6 of deltalake; CPU ≤ 4 × the bare column read",
             {"lakebed": lb("plan", million, PART), "deltalake": peer("plan-partition", million), "DuckDB, bare columns": peer("duckdb-partition", checkpoint)}, same=False)
    yield Op("…: plan with a statistics filter", "CPU ≤ 1/6, memory ≤ 1/6 of deltalake; CPU ≤ 1.1 × the bare column read",
             {"lakebed": lb("plan", million, STAT), "deltalake": peer("plan-statistics", million), "DuckDB, bare columns": peer("duckdb-statistics", checkpoint)}, same=False)
    yield Op("…: all paths", "CPU ≤ 1/8, memory ≤ 1/6 of deltalake", {"lakebed": lb("paths", million), "deltalake": peer("paths", million)})
    yield Op("…: a filter that keeps 0.1 %, on a checkpoint by lakebed against the foreign one", "CPU ≤ 1/10",
             {"lakebed": lb("plan", sorted_million, PART + " AND " + "id < 400000000"), "lakebed, foreign checkpoint": lb("plan", million, PART + " AND " + "id < 400000000")})
    yield Op("2,000 JSON commits, 100,000 files: filtered plan", "CPU ≤ 1/3 of deltalake",
             {"lakebed": lb("plan", tail, "id BETWEEN 50000000 AND 50999999"), "deltalake": peer("plan-statistics-tail", tail)}, same=False)
    yield Op("10,000 commits with checkpoints: opening version 5,050", "CPU ≤ deltalake", {"lakebed": lb("travel", long, "5050"), "deltalake": peer("travel", long, "5050")})
    yield Op("appending 6,001,215 lineitem rows", "CPU ≤ 0.85 of deltalake, memory ≤ 400 MiB",
             {"lakebed": [LAKEBED, "append", "{t}", *sorted((DATA / "lineitem").glob("*.parquet")), "-q"], "deltalake": peer("append", "{t}", DATA / "lineitem"),
              "DuckDB, plain copy": peer("duckdb-copy", "{t}", DATA / "lineitem")}, prepare=fresh, same=False)
    yield Op("200 one-row commits in one process", "CPU ≤ 1/3 of deltalake",
             {"lakebed": lb("append-rows", "{t}", "200"), "lakebed, not synced": lb("append-rows-fast", "{t}", "200"), "deltalake": peer("append-rows", "{t}", "200")}, prepare=fresh, same=False)
    yield Op("8 processes × 25 one-row appends", "all 200 land; CPU ≤ 1/2 of deltalake",
             {"lakebed": ["sh", "-c", f"for i in 1 2 3 4 5 6 7 8; do {OPS} append-rows {{t}} 25 & done; wait; {OPS} version {{t}}"],
              "deltalake": ["sh", "-c", f"for i in 1 2 3 4 5 6 7 8; do {sys.executable} {HERE}/peers.py append-rows {{t}} 25 2>/dev/null & done; wait; {sys.executable} {HERE}/peers.py version {{t}}"]},
             prepare=fresh, same=False)
    yield Op("1,000,000 files, held open: one one-row commit", "CPU ≤ 1/50 of deltalake",
             {"lakebed": lb("held-append", "{t}", "1"), "deltalake": peer("held-append", "{t}", "1")}, prepare=copy_of("million"), inside=True)
    yield Op("1,000,000 files, held open: catching up by five foreign commits", "CPU ≤ 1/50 of deltalake",
             {"lakebed": lb("held-refresh", "{t}"), "deltalake": peer("held-refresh", "{t}")}, prepare=copy_of("million"), inside=True)
    yield Op("1,000,000 files: a V2 checkpoint after 10 one-row commits", "written ≤ 1/20 of a whole one",
             {"lakebed": [LAKEBED, "checkpoint", "{t}", "-q"], "lakebed, all of it": [LAKEBED, "checkpoint", "{t}", "-q"]},
             prepare={"lakebed": ten_commits_more("million-v2"), "lakebed, all of it": ten_commits_more("million-v2-due")}, same=False, written=True)
    rows16 = {"lakebed": copy_of("lines-vectors"), "deltalake": copy_of("lines-plain")}
    change = lambda op, *args: {"lakebed": [LAKEBED, op, "{t}", *args, "-q"], "deltalake": peer(op, "{t}", *args)}
    yield Op("DELETE of 1 % scattered rows of 6,001,215 in 16 files", "CPU ≤ 1/8, written ≤ 1/50 of deltalake",
             change("delete", "--where", "l_orderkey % 100 = 7"), prepare=rows16, same=False, written=True)
    yield Op("UPDATE of 1 % scattered rows of 6,001,215 in 16 files", "CPU ≤ 1/4, written ≤ 1/10 of deltalake",
             change("update", "--set", "l_discount=0.05", "--where", "l_orderkey % 100 = 8"), prepare=rows16, same=False, written=True)
    on = "t.l_orderkey = s.l_orderkey AND t.l_linenumber = s.l_linenumber"
    yield Op("MERGE of 100,000 rows, half of them matching, into 6,001,215 in 16 files", "CPU ≤ 1/3, memory ≤ 1/2, written ≤ 1/5 of deltalake",
             change("merge", "--using", DATA / "merge_source" / "rows.parquet", "--on", on, "--when", "MATCHED THEN UPDATE SET *", "--when", "NOT MATCHED THEN INSERT *"),
             prepare=rows16, same=False, written=True)
    part = DATA / "lineitem" / "part-00.parquet"
    yield Op("MERGE of 375,075 rows (65 MB), all matching, with 12 MiB of memory", "ends, by spilling",
             change("merge", "--using", part, "--on", on, "--when", "MATCHED THEN UPDATE SET *", "--when", "NOT MATCHED THEN INSERT *", "--memory-limit", "12MiB"),
             prepare=rows16, same=False, written=True)
    small = {"lakebed": copy_of("lines_small"), "deltalake": copy_of("lines_small"), "DuckDB, plain copy": fresh}
    yield Op("compaction of 2,000 files with 6,001,215 rows", "CPU ≤ 0.8 of deltalake, memory ≤ 300 MiB",
             {"lakebed": [LAKEBED, "optimize", "{t}", "-q"], "deltalake": peer("optimize", "{t}"), "DuckDB, plain copy": peer("duckdb-copy", "{t}", DATA / "lines_small")},
             prepare=small, same=False, written=True)
    yield Op("scan of 6,001,215 rows, 1 % of them deleted by vectors", "CPU ≤ 1.1 × without",
             {"lakebed": lb("scan", DATA / "lines-deleted", ""), "lakebed, nothing deleted": lb("scan", DATA / "lines-vectors", "")}, same=False)
    curve = ["l_shipdate,l_partkey,l_suppkey", 6 << 20]
    yield Op("z-order of 6,001,215 rows in 16 files by shipdate, partkey and suppkey, about 39 files", "CPU ≤ 1/2 of deltalake, memory ≤ 512 MiB, also done with 128 MiB",
             {"lakebed": lb("zorder", "{t}", *curve, "384"), "lakebed, 128 MiB": lb("zorder", "{t}", *curve, "128"), "deltalake": peer("zorder", "{t}", *curve)},
             prepare={"lakebed": copy_of("lines-plain"), "lakebed, 128 MiB": copy_of("lines-plain"), "deltalake": copy_of("lines-plain")}, same=False, written=True)
    yield Op("vacuum of 100,000 dead files on local disk", "CPU ≤ 1/2 of deltalake, memory ≤ 200 MiB",
             {"lakebed": [LAKEBED, "vacuum", "{t}", "-q"], "deltalake": peer("vacuum", "{t}"),
              "bare walk and unlink": peer("unlink", "{t}")}, prepare=linked("dead"), same=False)
    for name, columns, where in [("all 16 columns", "", None), ("a selective range", "", RANGE), ("three columns", "l_orderkey,l_partkey,l_extendedprice", None)]:
        yield Op(f"scan of 6,001,215 rows: {name}", "CPU ≤ 1.05 of deltalake",
                 {"lakebed": lb("scan", lines, columns, *([where] if where else [])), "deltalake": peer("scan", lines, columns, *([where] if where else [])),
                  "DuckDB on the files": peer("duckdb-scan", lines, columns, *([where] if where else []))})


def main():
    if not lines.exists():
        subprocess.run([LAKEBED, "append", lines, *sorted((DATA / "lineitem").glob("*.parquet")), "-q"], check=True)
    if not sorted_million.exists():
        shutil.copytree(million, sorted_million)
        subprocess.run([LAKEBED, "checkpoint", sorted_million, "-q"], check=True)
    if not (DATA / "million-v2").exists():
        shutil.copytree(million, DATA / "million-v2-due")
        subprocess.run([LAKEBED, "alter", DATA / "million-v2-due", "set-property", "delta.checkpointPolicy=v2", "delta.checkpointInterval=1000", "-q"], check=True)
        shutil.copytree(DATA / "million-v2-due", DATA / "million-v2")
        subprocess.run([LAKEBED, "checkpoint", DATA / "million-v2", "-q"], check=True)
    for name, properties in [("lines-plain", []), ("lines-vectors", ["--property", "delta.enableDeletionVectors=true"])]:
        if not (DATA / name).exists():
            for file in sorted((DATA / "lineitem").glob("*.parquet")):
                subprocess.run([LAKEBED, "append", DATA / name, file, "-q", *properties], check=True)
    if not (DATA / "lines-deleted").exists():
        shutil.copytree(DATA / "lines-vectors", DATA / "lines-deleted")
        subprocess.run([LAKEBED, "delete", DATA / "lines-deleted", "--where", "l_orderkey % 100 = 7", "-q"], check=True)
    rows = []
    for op in ops():
        if ONLY and not any(o in op.name for o in ONLY):
            continue
        try:
            figures = op.run()
        except Exception as e:
            print(f"{op.name}: FAILED: {e}", flush=True)
            rows.append(f"| {op.name} | failed: {e} | | | | | | {op.goal} |")
            continue
        base = figures["lakebed"]
        for engine, (cpu, peak, low, high, written, elapsed) in figures.items():
            ratio = f"{base[0] / cpu:.3f} / {base[1] / peak:.2f}" if engine != "lakebed" and cpu else ""
            if ratio and written:
                ratio += f" / {base[4] / written:.3f}"
            size = f"{written / 1e6:.2f}" if written else ""
            rows.append(f"| {op.name if engine == 'lakebed' else ''} | {engine} | {cpu:.3f} ({low:.3f}–{high:.3f}) | {elapsed:.1f} | {peak:.0f} | {size} | {ratio} | {op.goal if engine == 'lakebed' else ''} |")
            print(rows[-1], flush=True)
    if not ONLY:
        OUT.write_text(f"""# Side by side with the peers

Made by `benches/compare/run` on {platform.machine()} with {os.cpu_count()} cores, {platform.system()}; {RUNS} runs after one warm-up, engines in turn, each operation in a fresh
process. CPU seconds are user + system: median (lowest–highest); elapsed and all else are medians. Peak is resident memory in MiB, written are the bytes of new files in MB. The ratio is lakebed
divided by the peer: CPU / memory / bytes written.

| operation | engine | CPU s | elapsed s | peak MiB | written MB | ratio | goal |
|---|---|---|---|---|---|---|---|
""" + "\n".join(rows) + "\n")


main()
