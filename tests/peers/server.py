#!/usr/bin/env python3
"""Resident peers: one Spark session and the deltalake library behind HTTP on 127.0.0.1, so that all tests share one start.

usage: server.py PEERS WORK PORT     (S3_ENDPOINT, AWS_ACCESS_KEY_ID, AWS_SECRET_ACCESS_KEY add s3a:// to Spark)
POST / with a JSON object; the answer is a JSON object, `{"error": …}` when the peer refused:
  {"op":"sql","sql":[…]}                    runs statements; the last one's rows as JSON texts in "rows"
  {"op":"digest","sql":"SELECT …"}          digest of a query's rows by Spark
  {"op":"deltalake","path":…,"version":…}   digest of a table's rows by deltalake, its version and its partition columns
  {"op":"deltalake_write","path":…,"parquet":…,"mode":…,"partition_by":[…]}   appends a Parquet file by deltalake
  {"op":"deltalake_checkpoint","path":…}
"""
import http.server
import json
import os
import sys
import threading

import digest
import spark as spark_peer

PEERS, WORK, PORT = sys.argv[1], sys.argv[2], int(sys.argv[3])
S3 = (os.environ["S3_ENDPOINT"], os.environ["AWS_ACCESS_KEY_ID"], os.environ["AWS_SECRET_ACCESS_KEY"]) if os.environ.get("S3_ENDPOINT") else None
SPARK = spark_peer.session(PEERS, WORK, S3)
S3_OPTIONS = {"AWS_ENDPOINT_URL": S3[0], "AWS_ACCESS_KEY_ID": S3[1], "AWS_SECRET_ACCESS_KEY": S3[2], "AWS_REGION": "us-east-1", "AWS_ALLOW_HTTP": "true",
              "conditional_put": "etag"} if S3 else None
ONE_AT_A_TIME = threading.Lock()


def table_of(request):
    from deltalake import DeltaTable

    options = S3_OPTIONS if request["path"].startswith("s3") else None
    return DeltaTable(request["path"], version=request.get("version"), storage_options=options)


def answer(request):
    op = request["op"]
    if op == "sql":
        df = None
        for statement in request["sql"]:
            df = SPARK.sql(statement)
        if df is None or not df.columns:
            return {"rows": []}
        return {"rows": [r.j for r in df.selectExpr("to_json(struct(*), map('ignoreNullFields', 'false')) AS j").collect()]}
    if op == "digest":
        table = spark_peer.as_arrow(SPARK, SPARK.sql(request["sql"]))
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
    if op == "deltalake_checkpoint":
        table_of(request).create_checkpoint()
        return {}
    raise ValueError(f"no such op: {op}")


class Handler(http.server.BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"

    def do_POST(self):
        request = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
        try:
            with ONE_AT_A_TIME:
                result = answer(request)
        except Exception as e:  # the peer's refusal is a result of its own
            result = {"error": "\n".join(str(e).splitlines()[:12]), "error_class": type(e).__name__}
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
