# Made nested.parquet, as other programs write tables: nested columns, with the fields of all rows in each.
# Run: python nested.py nested.parquet snappy   (pyarrow 26)
import datetime, decimal, sys
import pyarrow as pa, pyarrow.parquet as pq
rows = [
    {"responses_create_params": {"input": [{"role": "system", "content": "Count."}, {"role": "user", "content": "Add 1."}], "temperature": 0.5,
        "tools": [{"type": "function", "name": "f", "parameters": {"type": "object", "properties": {"a": {"type": "integer"}}}, "strict": True}]},
     "initial_count": 0, "expected_count": 1, "tags": ["x", None, "y"], "score": 0.25, "small": 0.1, "day": datetime.date(2026, 11, 27),
     "at": datetime.datetime(2026, 11, 27, 12, 30), "price": decimal.Decimal("1.50"), "raw": b"text", "bytes": b"\xff\x00", "map": [("a", 1), ("b", None)], "none": None},
    {"responses_create_params": {"input": [{"role": "user", "content": "Add 2."}], "max_output_tokens": 7}, "initial_count": 0, "expected_count": 2, "tags": [], "score": None},
]
schema = pa.schema([
    ("responses_create_params", pa.struct([("input", pa.list_(pa.struct([("role", pa.string()), ("content", pa.string()), ("id", pa.string())]))),
        ("temperature", pa.float64()), ("max_output_tokens", pa.int64()),
        ("tools", pa.list_(pa.struct([("type", pa.string()), ("name", pa.string()), ("strict", pa.bool_()),
            ("parameters", pa.struct([("type", pa.string()), ("properties", pa.struct([("a", pa.struct([("type", pa.string())])), ("b", pa.struct([("type", pa.string())]))]))]))])))])),
    ("initial_count", pa.int32()), ("expected_count", pa.int64()), ("tags", pa.list_(pa.string())), ("score", pa.float64()), ("small", pa.float32()),
    ("day", pa.date32()), ("at", pa.timestamp("us")), ("price", pa.decimal128(10, 2)), ("raw", pa.binary()), ("bytes", pa.binary()),
    ("map", pa.map_(pa.string(), pa.int64())), ("none", pa.string()),
])
pq.write_table(pa.Table.from_pylist(rows, schema=schema), sys.argv[1], compression=sys.argv[2])
