"""One Spark session with Delta Lake, as tests and fixture makers share it."""
import glob
import os
import sys


def session(peers, work, s3=None):
    """A local session. `peers`: the folder that tests/peers/install filled; `work`: scratch space; `s3`: endpoint, key and secret for s3a://."""
    from pyspark.sql import SparkSession

    jars = sorted(glob.glob(f"{peers}/jars/*.jar") + (glob.glob(f"{peers}/jars-s3a/*.jar") if s3 else []))
    os.makedirs(work, exist_ok=True)
    os.environ["SPARK_LOCAL_IP"] = "127.0.0.1"
    os.environ["PYSPARK_PYTHON"] = sys.executable
    conf = {
        "spark.jars": ",".join(jars),
        "spark.driver.memory": "2g",
        "spark.driver.host": "127.0.0.1",
        "spark.driver.bindAddress": "127.0.0.1",
        "spark.ui.enabled": "false",
        "spark.ui.showConsoleProgress": "false",
        # Tables are tiny: what costs is planning on the driver. So plans are interpreted, not compiled, and nothing is cut into parts.
        "spark.sql.codegen.wholeStage": "false",
        "spark.sql.codegen.factoryMode": "NO_CODEGEN",
        "spark.sql.adaptive.enabled": "false",
        "spark.sql.shuffle.partitions": "1",
        "spark.default.parallelism": "1",
        # A vacuum cuts its list of folders into so many tasks; the default is 10,000.
        "spark.sql.sources.parallelPartitionDiscovery.parallelism": "2",
        # Nobody looks at the UI: plans are told briefly, not checked after each rule (Spark's own self-test), and soon forgotten.
        "spark.sql.ui.explainMode": "simple",
        "spark.sql.lightweightPlanChangeValidation": "false",
        "spark.sql.ui.retainedExecutions": "1",
        "spark.ui.retainedJobs": "1",
        "spark.ui.retainedStages": "1",
        "spark.ui.retainedTasks": "1",
        "spark.sql.session.timeZone": "UTC",
        "spark.sql.warehouse.dir": f"{work}/warehouse",
        # Java's second compiler stays on: within minutes planning takes half the processor time. Almost all objects die young.
        "spark.driver.extraJavaOptions": f"-Dderby.system.home={work} -Duser.timezone=UTC -XX:+UseSerialGC -Xms1536m -Xmn900m "
        # A commit starts some twenty processes (`readlink`, `chmod`).
        "-Djdk.lang.Process.launchMechanism=VFORK",
        "spark.databricks.delta.snapshotPartitions": "1",
        # Tests seldom come back to a table: its snapshots go early.
        "spark.databricks.delta.delta.log.cacheSize": "16",
        "spark.sql.extensions": "io.delta.sql.DeltaSparkSessionExtension",
        "spark.sql.catalog.spark_catalog": "org.apache.spark.sql.delta.catalog.DeltaCatalog",
        "spark.log.level": "ERROR",
    }
    if s3:
        endpoint, key, secret = s3
        a = "spark.hadoop.fs.s3a."
        conf |= {a + "endpoint": endpoint, a + "path.style.access": "true", a + "connection.ssl.enabled": "false", a + "input.stream.type": "classic",
                 a + "endpoint.region": "us-east-1", a + "access.key": key, a + "secret.key": secret}
    builder = SparkSession.builder.master("local[2]")
    for k, v in conf.items():
        builder = builder.config(k, v)
    return builder.getOrCreate()


def as_arrow(spark, df):
    """The rows as an Arrow table; a column that holds a variant anywhere becomes its JSON text."""
    from pyspark.sql import functions as f

    def variant_inside(t):
        name = t.typeName()
        if name == "variant":
            return True
        return any(variant_inside(getattr(t, k)) for k in ("elementType", "keyType", "valueType") if hasattr(t, k)) or any(
            variant_inside(c.dataType) for c in getattr(t, "fields", []))

    columns = []
    for i, field in enumerate(df.schema.fields):
        quoted = f.col("`" + field.name.replace("`", "``") + "`")
        columns.append((f.to_json(quoted) if variant_inside(field.dataType) else quoted).alias(f"c{i}"))
    return df.select(*columns).toArrow() if columns else None
