#!/usr/bin/env python3
"""Resident peers: Spark and the deltalake library behind HTTP on 127.0.0.1, so that all tests share one start. Two requests run at a time,
each in a Spark session of its own: what costs is one driver thread's planning, and the machine has two cores.

usage: server.py PEERS WORK PORT     (S3_ENDPOINT, AWS_ACCESS_KEY_ID, AWS_SECRET_ACCESS_KEY add s3a:// to Spark)
POST / with a JSON object; the answer is a JSON object, `{"error": …}` when the peer refused:
  {"op":"sql","sql":[…]}                    runs statements; the last one's rows as JSON texts in "rows". `hold(x, 'FOLDER')` in a statement is x, but makes
                                            FOLDER/began and waits for FOLDER/go (two minutes at most): what happens between is concurrent to it
  {"op":"digest","sql":"SELECT …"}          digest of a query's rows by Spark
  {"op":"deltalake","path":…,"version":…}   digest of a table's rows by deltalake, its version and its partition columns
  {"op":"deltalake_write","path":…,"parquet":…,"mode":…,"partition_by":[…]}   appends a Parquet file by deltalake
  {"op":"deltalake_change","path":…,"change":{…}}   one row change by deltalake: {"append":[rows]}, {"overwrite":[rows],"where":E?}, {"delete":E}, {"update":{column:E},"where":E},
                                           {"merge":[rows],"on":E,"clauses":[{"kind":"matched_update_all", "where":E?, "set":{…}?}]}; rows have the table's columns
  {"op":"deltalake_checkpoint","path":…}
"""
import http.server
import json
import os
import queue
import sys
import time

import digest
import spark as spark_peer

PEERS, WORK, PORT = sys.argv[1], sys.argv[2], int(sys.argv[3])
S3 = (os.environ["S3_ENDPOINT"], os.environ["AWS_ACCESS_KEY_ID"], os.environ["AWS_SECRET_ACCESS_KEY"]) if os.environ.get("S3_ENDPOINT") else None
HOLD_SECONDS = 120


def hold(x, folder):
    open(f"{folder}/began", "w").close()
    end = time.monotonic() + HOLD_SECONDS
    while not os.path.exists(f"{folder}/go"):
        if time.monotonic() > end:
            raise TimeoutError(f"nobody made {folder}/go")
        time.sleep(0.02)
    return x


SESSIONS = queue.SimpleQueue()
for session in (first := spark_peer.session(PEERS, WORK, S3), first.newSession()):
    session.udf.register("hold", hold, "bigint")
    SESSIONS.put(session)
S3_OPTIONS = {"AWS_ENDPOINT_URL": S3[0], "AWS_ACCESS_KEY_ID": S3[1], "AWS_SECRET_ACCESS_KEY": S3[2], "AWS_REGION": "us-east-1", "AWS_ALLOW_HTTP": "true",
              "conditional_put": "etag"} if S3 else None


def table_of(request):
    from deltalake import DeltaTable

    options = S3_OPTIONS if request["path"].startswith("s3") else None
    return DeltaTable(request["path"], version=request.get("version"), storage_options=options)


def rows_of(table, rows):
    """Rows in JSON (decimals, dates and times as text) as an Arrow table of the table's own types."""
    import pyarrow as pa
    from deltalake import DeltaTable

    schema = pa.schema(table.schema().to_arrow()) if isinstance(table, DeltaTable) else table
    columns = []
    for field in schema:
        values = [r.get(field.name) for r in rows]
        as_text = pa.types.is_temporal(field.type) or pa.types.is_decimal(field.type)
        columns.append(pa.array(values, pa.string()).cast(field.type) if as_text else pa.array(values, field.type))
    return pa.table(columns, schema=schema)


def deltalake_change(path, change):
    import deltalake

    t = deltalake.DeltaTable(path)
    if "append" in change:
        deltalake.write_deltalake(t, rows_of(t, change["append"]), mode="append")
    elif "overwrite" in change:
        deltalake.write_deltalake(t, rows_of(t, change["overwrite"]), mode="overwrite", predicate=change.get("where"))
    elif "delete" in change:
        t.delete(change["delete"])
    elif "update" in change:
        t.update(updates=change["update"], predicate=change.get("where"))
    elif "merge" in change:
        m = t.merge(rows_of(t, change["merge"]), change["on"], source_alias="s", target_alias="t")
        for clause in change["clauses"]:
            arguments = [clause["set"]] if "set" in clause else []
            m = getattr(m, "when_" + clause["kind"])(*arguments, predicate=clause.get("where"))
        m.execute()
    else:
        raise ValueError(f"no such change: {change}")
    return {"version": deltalake.DeltaTable(path).version()}


def answer(spark, request):
    op = request["op"]
    if op == "sql":
        df = None
        for statement in request["sql"]:
            df = spark.sql(statement)
        if df is None or not df.columns:
            return {"rows": []}
        return {"rows": [r.j for r in df.selectExpr("to_json(struct(*), map('ignoreNullFields', 'false')) AS j").collect()]}
    if op == "digest":
        table = spark_peer.as_arrow(spark, spark.sql(request["sql"]))
        return digest.digest(table) if table is not None else {"num_rows": 0, "sha256": digest.hashlib.sha256().hexdigest(), "sample": []}
    if op == "deltalake":
        import pyarrow as pa

        t = table_of(request)
        if t.protocol().reader_features:  # the dataset of PyArrow knows none of them, deltalake's own queries do
            from deltalake import QueryBuilder

            columns = ", ".join('"' + f.name.replace('"', '""') + '"' for f in t.schema().fields)
            rows = pa.table(QueryBuilder().register("t", t).execute(f"SELECT {columns} FROM t"))
        else:
            rows = pa.table(t.to_pyarrow_dataset().to_table())
        return digest.digest(rows) | {"version": t.version(), "partition_columns": t.metadata().partition_columns, "files": len(t.file_uris())}
    if op == "deltalake_write":
        import deltalake
        import pyarrow.parquet as pq

        options = S3_OPTIONS if request["path"].startswith("s3") else None
        deltalake.write_deltalake(request["path"], pq.read_table(request["parquet"]), mode=request.get("mode", "append"),
                                  partition_by=request.get("partition_by"), storage_options=options)
        return {"version": table_of(request).version()}
    if op == "deltalake_change":
        return deltalake_change(request["path"], request["change"])
    if op == "deltalake_checkpoint":
        table_of(request).create_checkpoint()
        return {}
    raise ValueError(f"no such op: {op}")


class Handler(http.server.BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"

    def do_POST(self):
        request = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
        spark = SESSIONS.get()
        try:
            result = answer(spark, request)
        except Exception as e:  # the peer's refusal is a result of its own
            result = {"error": "\n".join(str(e).splitlines()[:12]), "error_class": type(e).__name__}
        finally:
            SESSIONS.put(spark)
        body = json.dumps(result).encode()
        self.send_response(200)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def do_GET(self):
        self.send_response(200)
        self.send_header("Content-Length", "0")
        self.end_headers()

    def log_message(self, *args):
        pass


server = http.server.ThreadingHTTPServer(("127.0.0.1", PORT), Handler)
print(f"peers: 127.0.0.1:{PORT}", flush=True)
server.serve_forever()
