"""Makes the data that benches/compare measures on, once, into a cache folder. usage: data.py DIR

  lineitem/         TPC-H lineitem at scale 1 (6,001,215 rows) in 16 Parquet files, by DuckDB's generator
  merge_source/     100,000 rows of lineitem with another discount: half with keys that are there, half with new ones
  lines_small/      a table of the same rows in 2,000 files
  million/          a table whose classic checkpoint (statistics as JSON) names 1,000,000 files, and ten commits after it
  tail/             2,000 JSON commits without a checkpoint, 100,000 files
  long/             10,000 commits with a checkpoint every 100
The files of these three exist in the log only: nothing here reads rows of them.
  dead/             100,000 files that were removed long ago, and 100 that were not, in 336 partitions; they hold no rows
"""
import glob
import json
import os
import pathlib
import random
import shutil
import sys
import uuid

import duckdb
import duckdb_extension_tpch
import pyarrow as pa
import pyarrow.parquet as pq

DIR = pathlib.Path(sys.argv[1])
SCHEMA = json.dumps({"type": "struct", "fields": [
    {"name": n, "type": t, "nullable": True, "metadata": {}} for n, t in
    [("id", "long"), ("value", "double"), ("name", "string"), ("at", "timestamp"), ("day", "date")]]})
DAYS = [f"2024-{1 + d // 28:02d}-{1 + d % 28:02d}" for d in range(336)]


def once(name):
    path = DIR / name
    if (path / ".done").exists():
        return None
    shutil.rmtree(path, ignore_errors=True)
    path.mkdir(parents=True)
    return path


def connect():
    con = duckdb.connect(config={"allow_unsigned_extensions": "true"})
    folder = pathlib.Path(duckdb_extension_tpch.__file__).parent
    con.execute(f"LOAD '{next(folder.glob('extensions/*/tpch.duckdb_extension'))}'")
    return con


def lineitem(path):
    con = connect()
    con.execute("CALL dbgen(sf = 1)")
    con.execute("CREATE TABLE numbered AS SELECT *, (row_number() OVER () * 16 // 6001216)::INT AS part FROM lineitem")
    for part in range(16):
        con.execute(f"COPY (SELECT * EXCLUDE part FROM numbered WHERE part = {part}) TO '{path}/part-{part:02d}.parquet' (FORMAT parquet, COMPRESSION snappy)")


def merge_source(path):
    con = connect()
    old = f"SELECT * REPLACE (CAST(0.09 AS DECIMAL(15,2)) AS l_discount) FROM read_parquet('{DIR}/lineitem/*.parquet') WHERE hash(l_orderkey, l_linenumber) % 100 < 2"
    half = f"SELECT * FROM ({old}) ORDER BY hash(l_orderkey, l_linenumber) LIMIT 50000"
    con.execute(f"COPY (SELECT * FROM ({half}) UNION ALL SELECT * REPLACE (l_orderkey + 10000000 AS l_orderkey) FROM ({half})) TO '{path}/rows.parquet' (FORMAT parquet, COMPRESSION snappy)")


def lines_small(path):
    names = {pa.int64(): "long", pa.int32(): "integer", pa.date32(): "date", pa.string(): "string"}
    log = path / "_delta_log"
    log.mkdir()
    adds, schema = [], None
    for source in sorted((DIR / "lineitem").glob("*.parquet")):
        rows = pq.read_table(source)
        schema = rows.schema
        step = -(-len(rows) // 125)
        for start in range(0, len(rows), step):
            name = f"part-{len(adds):05d}.snappy.parquet"
            piece = rows.slice(start, step)
            pq.write_table(piece, path / name, compression="snappy")
            adds.append({"add": {"path": name, "partitionValues": {}, "size": (path / name).stat().st_size, "modificationTime": 1_700_000_000_000 + len(adds), "dataChange": True,
                                 "stats": json.dumps({"numRecords": len(piece)})}})
    text = lambda t: names.get(t) or f"decimal({t.precision},{t.scale})"
    fields = [{"name": f.name, "type": text(f.type), "nullable": True, "metadata": {}} for f in schema]
    first = head()
    first[1]["metaData"].update(schemaString=json.dumps({"type": "struct", "fields": fields}), partitionColumns=[])
    commit(log, 0, first)
    commit(log, 1, adds)


def stats(rng, k):
    low, name = k * 1000, f"name-{k:09d}"
    return ('{"numRecords":1000,"minValues":{"id":%d,"value":%.6f,"name":"%s-aaaa","at":"2024-01-01T00:00:00.000Z"},'
            '"maxValues":{"id":%d,"value":%.6f,"name":"%s-zzzz","at":"2024-12-31T23:59:59.999Z"},'
            '"nullCount":{"id":0,"value":%d,"name":0,"at":0}}') % (low, rng.random(), name, low + 999, 1 + rng.random(), name, rng.randrange(10))


def a_path(rng, day):
    return f"day={day}/part-{rng.randrange(100):05d}-{uuid.UUID(int=rng.getrandbits(128))}.c000.snappy.parquet"


def add(rng, k, day):
    return {"add": {"path": a_path(rng, day), "partitionValues": {"day": day}, "size": 1_000_000 + k, "modificationTime": 1_700_000_000_000, "dataChange": True, "stats": stats(rng, k)}}


def head(created=1_700_000_000_000):
    return [{"protocol": {"minReaderVersion": 1, "minWriterVersion": 2}},
            {"metaData": {"id": "5fba94ed-9794-4965-ba6e-6ee3c0d22af9", "format": {"provider": "parquet", "options": {}}, "schemaString": SCHEMA,
                          "partitionColumns": ["day"], "configuration": {}, "createdTime": created}}]


def commit(log, version, actions):
    info = {"commitInfo": {"timestamp": 1_700_000_000_000 + version, "operation": "WRITE", "operationParameters": {"mode": "Append", "partitionBy": "[]"}}}
    (log / f"{version:020d}.json").write_text("".join(json.dumps(a, separators=(",", ":")) + "\n" for a in [info] + actions))


def checkpoint(log, version, adds):
    """Like Spark's, without parsed statistics: `adds` is a list of add actions."""
    text, long = pa.string(), pa.int64()
    add_type = pa.struct([("path", text), ("partitionValues", pa.map_(text, text)), ("size", long), ("modificationTime", long), ("dataChange", pa.bool_()),
                          ("stats", text), ("tags", pa.map_(text, text))])
    meta_type = pa.struct([("id", text), ("name", text), ("description", text), ("format", pa.struct([("provider", text), ("options", pa.map_(text, text))])),
                           ("schemaString", text), ("partitionColumns", pa.list_(text)), ("configuration", pa.map_(text, text)), ("createdTime", long)])
    protocol_type = pa.struct([("minReaderVersion", pa.int32()), ("minWriterVersion", pa.int32())])
    schema = pa.schema([("txn", pa.struct([("appId", text), ("version", long), ("lastUpdated", long)])), ("add", add_type),
                        ("remove", pa.struct([("path", text), ("deletionTimestamp", long), ("dataChange", pa.bool_())])), ("metaData", meta_type), ("protocol", protocol_type)])
    protocol, metadata = head()[0]["protocol"], dict(head()[1]["metaData"])
    metadata["configuration"], metadata["format"] = [], {"provider": "parquet", "options": []}
    first = [{"protocol": protocol}, {"metaData": metadata}]
    path = log / f"{version:020d}.checkpoint.parquet"
    with pq.ParquetWriter(path, schema, compression="snappy") as writer:
        writer.write_table(pa.Table.from_pylist(first, schema=schema))
        for start in range(0, len(adds), 100_000):
            rows = [{"add": {**a["add"], "partitionValues": list(a["add"]["partitionValues"].items()), "dataChange": False}} for a in adds[start:start + 100_000]]
            writer.write_table(pa.Table.from_pylist(rows, schema=schema))
    (log / "_last_checkpoint").write_text(json.dumps({"version": version, "size": len(adds) + 2}))


def million(path):
    log, rng = path / "_delta_log", random.Random(1)
    log.mkdir()
    commit(log, 0, head())
    for v in range(1, 11):
        commit(log, v, [])
    checkpoint(log, 10, [add(rng, k, DAYS[k % len(DAYS)]) for k in range(1_000_000)])
    for v in range(11, 21):
        commit(log, v, [add(rng, 1_000_000 + v * 10 + k, DAYS[(v + k) % len(DAYS)]) for k in range(10)])


def tail(path):
    log, rng = path / "_delta_log", random.Random(2)
    log.mkdir()
    for v in range(2000):
        commit(log, v, (head() if v == 0 else []) + [add(rng, v * 50 + k, DAYS[(v + k) % len(DAYS)]) for k in range(50)])


def long(path):
    log, rng = path / "_delta_log", random.Random(3)
    log.mkdir()
    live = []
    for v in range(10_000):
        new = [add(rng, v, DAYS[v % len(DAYS)])]
        live += new
        commit(log, v, (head() if v == 0 else []) + new)
        if v and v % 100 == 0:
            checkpoint(log, v, live)


def dead(path):
    log, rng, old = path / "_delta_log", random.Random(4), 1_700_000_000_000
    log.mkdir()
    adds = [add(rng, k, DAYS[k % len(DAYS)]) for k in range(100_100)]
    for action in adds:
        file = path / action["add"]["path"]
        file.parent.mkdir(exist_ok=True)
        file.write_bytes(b"x" * 100)
        os.utime(file, (old / 1000, old / 1000))
    gone = [{"remove": {"path": a["add"]["path"], "deletionTimestamp": old + 1, "dataChange": True, "extendedFileMetadata": True,
                        "partitionValues": a["add"]["partitionValues"], "size": 100}} for a in adds[100:]]
    commit(log, 0, head() + adds)
    commit(log, 1, gone)


if __name__ == "__main__":
    for maker in (lineitem, lines_small, merge_source, million, tail, long, dead):
        target = once(maker.__name__)
        if target:
            maker(target)
            (target / ".done").touch()
            print("made", target, flush=True)
