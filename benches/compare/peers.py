"""One operation of a peer in a fresh process, for benches/compare. usage: peers.py OP TABLE [ARG…]; prints one number."""
import glob
import os
import sys

op, table, *args = sys.argv[1:]


def open_table(version=None):
    from deltalake import DeltaTable

    return DeltaTable(table, version=version)


def row(k):
    import pyarrow as pa

    return pa.table({"id": pa.array([k], pa.int64())})


def duckdb_rows(sql):
    import duckdb

    con = duckdb.connect()
    con.execute("SET threads = 2")
    return con.execute(sql)


if op == "version":
    t = open_table()
    print(t.version() + len(t.schema().fields))
elif op == "paths":
    print(len(open_table().file_uris()))
elif op == "plan-partition":
    print(len(open_table().file_uris(file_pruning_predicate="day = '2024-03-05'")))
elif op == "plan-statistics":
    print(len(open_table().file_uris(file_pruning_predicate="id >= 500000000 AND id <= 500999999")))
elif op == "plan-statistics-tail":
    print(len(open_table().file_uris(file_pruning_predicate="id >= 50000000 AND id <= 50999999")))
elif op == "travel":
    print(len(open_table(int(args[0])).file_uris()))
elif op == "duckdb-partition":
    print(duckdb_rows(f"SELECT count(add.path), sum(length(add.path)) FROM read_parquet('{table}') WHERE add.partitionValues['day'] = '2024-03-05'").fetchone()[0])
elif op == "duckdb-statistics":
    print(duckdb_rows(f"SELECT count(add.path), sum(length(add.path)) FROM read_parquet('{table}') WHERE (add.stats->'$.minValues.id')::BIGINT <= 500999999 AND (add.stats->'$.maxValues.id')::BIGINT >= 500000000").fetchone()[0])
elif op == "append":
    import deltalake
    import pyarrow.dataset as ds

    data = ds.dataset(sorted(glob.glob(f"{args[0]}/*.parquet")))
    deltalake.write_deltalake(table, data.scanner().to_reader())
    print(0)
elif op == "duckdb-copy":
    duckdb_rows(f"COPY (SELECT * FROM read_parquet('{args[0]}/*.parquet')) TO '{table}' (FORMAT parquet, COMPRESSION snappy, PER_THREAD_OUTPUT true)")
    print(0)
elif op == "delete":
    print(open_table().delete(args[1])["num_deleted_rows"])
elif op == "update":
    column, expression = args[1].split("=", 1)
    print(open_table().update(updates={column: expression}, predicate=args[3])["num_updated_rows"])
elif op == "vacuum":
    print(len(open_table().vacuum(retention_hours=168, dry_run=False, full=True)))
elif op == "unlink":
    gone = 0
    for folder, _, names in os.walk(table):
        for name in names:
            path = os.path.join(folder, name)
            if name.endswith(".parquet") and os.stat(path).st_mtime < 1_750_000_000:
                os.unlink(path)
                gone += 1
    print(gone)
elif op == "merge":
    import pyarrow.parquet as pq

    merge = open_table().merge(pq.read_table(args[1]), args[3], source_alias="s", target_alias="t")
    print(merge.when_matched_update_all().when_not_matched_insert_all().execute()["num_target_rows_inserted"])
elif op == "optimize":
    print(open_table().optimize.compact(target_size=128 << 20)["numFilesRemoved"])
elif op == "zorder":
    t = open_table()
    t.optimize.z_order(args[0].split(","), target_size=int(args[1]))
    print(len(t.file_uris()))
elif op == "append-rows":
    import deltalake

    for k in range(int(args[0])):
        deltalake.write_deltalake(table, row(k), mode="append")
    print(open_table().version())
elif op in ("held-append", "held-refresh"):
    import resource

    import deltalake
    import pyarrow as pa

    def cpu():
        u = resource.getrusage(resource.RUSAGE_SELF)
        return u.ru_utime + u.ru_stime

    t = open_table()
    len(t.file_uris())
    if op == "held-append":
        one = pa.table({"id": pa.array([1], pa.int64()), "value": pa.array([1.0]), "name": pa.array(["n"]), "at": pa.array([0], pa.timestamp("us", "UTC")), "day": pa.array([0], pa.date32())})
        before = cpu()
        deltalake.write_deltalake(t, one, mode="append")
    else:
        import shutil

        newest = t.version()
        log = f"{table}/_delta_log"
        for k in range(1, 6):
            shutil.copy(f"{log}/{newest:020d}.json", f"{log}/{newest + k:020d}.json")
        before = cpu()
        t.update_incremental()
    print(int((cpu() - before) * 1_000_000))
elif op == "scan":
    import pyarrow.compute as pc

    t = open_table()
    columns = args[0].split(",") if args[0] else None
    where = None
    if len(args) > 1:
        import datetime as dt

        f = pc.field("l_shipdate")
        where = (f >= dt.date(1994, 1, 1)) & (f <= dt.date(1994, 1, 7))
    reader = t.to_pyarrow_dataset().scanner(columns=columns, filter=where).to_reader()
    print(sum(batch.num_rows for batch in reader))
elif op == "duckdb-scan":
    where = f"WHERE {args[1]}" if len(args) > 1 else ""
    reader = duckdb_rows(f"SELECT {args[0] or '*'} FROM read_parquet('{table}/*.parquet') {where}").to_arrow_reader(100_000)
    print(sum(batch.num_rows for batch in reader))
else:
    sys.exit(f"no operation {op}")
# deltalake's threads can abort the process while it ends ("terminate called without an active exception"); the answer is out by then.
sys.stdout.flush()
os._exit(0)
