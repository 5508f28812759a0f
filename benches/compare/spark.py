#!/usr/bin/env python3
"""CPU seconds of a warm Spark for DELETE, UPDATE and MERGE with deletion vectors, beside a fresh process of lakebed for each.
usage: spark.py PEERS DATA LAKEBED   (PEERS: what tests/peers/install filled; DATA: as for compare.py, which makes `lines-vectors`)

Spark runs in one session with its own defaults for compiling and for two cores; each statement runs on a fresh copy of the table, RUNS times (default 3)
after one warm-up, and what counts is the user and system time that the Java process spent meanwhile. Prints rows for spec/bench.md.
"""
import glob
import os
import pathlib
import resource
import shutil
import statistics
import subprocess
import sys
import tempfile

RUNS = int(os.environ.get("RUNS", "3"))
PEERS, DATA, LAKEBED = map(pathlib.Path, sys.argv[1:4])
ON = "t.l_orderkey = s.l_orderkey AND t.l_linenumber = s.l_linenumber"
SOURCE = DATA / "merge_source" / "rows.parquet"
OPS = {
    "DELETE of 1 % scattered rows": (
        "DELETE FROM {t} WHERE l_orderkey % 100 = 7",
        ["delete", "{p}", "--where", "l_orderkey % 100 = 7"]),
    "UPDATE of 1 % scattered rows": (
        "UPDATE {t} SET l_discount = 0.05 WHERE l_orderkey % 100 = 8",
        ["update", "{p}", "--set", "l_discount=0.05", "--where", "l_orderkey % 100 = 8"]),
    "MERGE of 100,000 rows, half of them matching": (
        f"MERGE INTO {{t}} AS t USING parquet.`{SOURCE}` AS s ON {ON} WHEN MATCHED THEN UPDATE SET * WHEN NOT MATCHED THEN INSERT *",
        ["merge", "{p}", "--using", str(SOURCE), "--on", ON, "--when", "MATCHED THEN UPDATE SET *", "--when", "NOT MATCHED THEN INSERT *"]),
}


def session(work):
    from pyspark.sql import SparkSession

    os.environ["SPARK_LOCAL_IP"] = "127.0.0.1"
    builder = SparkSession.builder.master("local[2]")
    for key, value in {
        "spark.jars": ",".join(sorted(glob.glob(f"{PEERS}/jars/*.jar"))),
        "spark.driver.memory": "4g",
        "spark.driver.host": "127.0.0.1",
        "spark.driver.bindAddress": "127.0.0.1",
        "spark.ui.enabled": "false",
        "spark.ui.showConsoleProgress": "false",
        "spark.sql.warehouse.dir": f"{work}/warehouse",
        "spark.sql.shuffle.partitions": "4",
        "spark.sql.session.timeZone": "UTC",
        "spark.sql.extensions": "io.delta.sql.DeltaSparkSessionExtension",
        "spark.sql.catalog.spark_catalog": "org.apache.spark.sql.delta.catalog.DeltaCatalog",
        "spark.databricks.delta.snapshotPartitions": "2",
        "spark.log.level": "ERROR",
    }.items():
        builder = builder.config(key, value)
    return builder.getOrCreate()


def java_seconds(java):
    # The name in brackets may hold spaces.
    fields = pathlib.Path(f"/proc/{java}/stat").read_text().rsplit(") ", 1)[1].split()
    return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")


def own_seconds():
    used = resource.getrusage(resource.RUSAGE_CHILDREN)
    return used.ru_utime + used.ru_stime


def main():
    with tempfile.TemporaryDirectory(dir=DATA) as work:
        spark = session(work)
        java = spark._jvm.java.lang.ProcessHandle.current().pid()
        table = pathlib.Path(work) / "t"

        def fresh():
            shutil.rmtree(table, ignore_errors=True)
            shutil.copytree(DATA / "lines-vectors", table)

        for name, (statement, words) in OPS.items():
            theirs, ours = [], []
            for _ in range(RUNS + 1):
                fresh()
                before = java_seconds(java)
                spark.sql(statement.format(t=f"delta.`{table}`")).collect()
                theirs.append(java_seconds(java) - before)
                fresh()
                before = own_seconds()
                subprocess.run([LAKEBED, *(w.format(p=table) for w in words), "-q"], check=True, stdout=subprocess.DEVNULL)
                ours.append(own_seconds() - before)
            (mine, low, high), (spark_s, s_low, s_high) = ((statistics.median(v[1:]), min(v[1:]), max(v[1:])) for v in (ours, theirs))
            print(f"| {name} | lakebed | {RUNS} | {mine:.3f} ({low:.3f}–{high:.3f}) |  | CPU ≤ 1/8 of warm Spark |", flush=True)
            print(f"|  | Spark, warm | {RUNS} | {spark_s:.2f} ({s_low:.2f}–{s_high:.2f}) | {mine / spark_s:.3f} |  |", flush=True)
        spark.stop()


main()
