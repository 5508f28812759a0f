"""A digest of rows that every engine's result can be given, whatever its order: the same rules as tests/it/support/digest.rs.

Each row's columns are encoded in schema order and joined as `[c1,c2,…]`; the rows, sorted as UTF-8 bytes and each followed by a line feed, are hashed with
SHA-256. Column names are not part of it.
"""
import hashlib
import struct

import pyarrow as pa
import pyarrow.types as t


def _text(s):
    out = ['"']
    for c in s:
        if c == '"':
            out.append('\\"')
        elif c == "\\":
            out.append("\\\\")
        elif c < " ":
            out.append("\\u%04x" % ord(c))
        else:
            out.append(c)
    out.append('"')
    return "".join(out)


def _float(v, fmt, nan):
    return nan if v != v else struct.pack(fmt, v).hex()


def _decimal(v, scale):
    sign, digits, exponent = v.as_tuple()
    text = "".join(map(str, digits))
    shift = exponent + scale
    text = text + "0" * shift if shift >= 0 else text[:shift]
    text = text.rjust(scale + 1, "0")
    body = text[: len(text) - scale] + ("." + text[-scale:] if scale else "")
    body = body.lstrip("0") if not scale else body.lstrip("0") or "0"
    if body.startswith(".") or body == "":
        body = "0" + body
    return ("-" if sign and any(digits) else "") + body


def encode(a):
    """One text a value of an Arrow array."""
    ty = a.type
    if isinstance(a, pa.ChunkedArray):
        return [v for chunk in a.chunks for v in encode(chunk)]
    if t.is_dictionary(ty):
        return encode(a.dictionary_decode())
    if t.is_null(ty):
        return ["null"] * len(a)
    if t.is_struct(ty):
        fields = [encode(a.field(i)) for i in range(ty.num_fields)]
        ok = a.is_valid().to_pylist()
        return ["[" + ",".join(f[i] for f in fields) + "]" if ok[i] else "null" for i in range(len(a))]
    if t.is_map(ty):
        keys, items = encode(a.keys), encode(a.items)
        base = a.offsets[0].as_py() if len(a) else 0
        offsets = [o - base for o in a.offsets.to_pylist()]
        if len(keys) != offsets[-1] if len(a) else False:  # the children were not cut to the slice
            offsets = a.offsets.to_pylist()
        ok = a.is_valid().to_pylist()
        return ["{" + ",".join(f"{k}:{v}" for k, v in sorted(zip(keys[o:p], items[o:p]), key=lambda e: (e[0].encode(), e[1].encode()))) + "}" if valid else "null"
                for o, p, valid in zip(offsets, offsets[1:], ok)]
    if t.is_list(ty) or t.is_large_list(ty):
        ok = a.is_valid().to_pylist()
        values, offsets = encode(a.values), a.offsets.to_pylist()
        return ["[" + ",".join(values[o:p]) + "]" if valid else "null" for o, p, valid in zip(offsets, offsets[1:], ok)]
    if t.is_timestamp(ty):
        tag = "T" if ty.tz else "N"
        return ["null" if v is None else f'"{tag}:{v}"' for v in a.cast(pa.timestamp("us", ty.tz)).cast(pa.int64()).to_pylist()]
    if t.is_date32(ty):
        return ["null" if v is None else f'"D:{v}"' for v in a.cast(pa.int32()).to_pylist()]
    values = a.to_pylist()
    if t.is_boolean(ty):
        one = lambda v: "true" if v else "false"
    elif t.is_integer(ty):
        one = str
    elif t.is_float32(ty):
        one = lambda v: '"f:%s"' % _float(v, ">f", "7fc00000")
    elif t.is_float64(ty):
        one = lambda v: '"d:%s"' % _float(v, ">d", "7ff8000000000000")
    elif t.is_decimal(ty):
        one = lambda v: '"%s"' % _decimal(v, ty.scale)
    elif t.is_string(ty) or t.is_large_string(ty) or t.is_string_view(ty):
        one = _text
    elif t.is_binary(ty) or t.is_large_binary(ty) or t.is_binary_view(ty) or t.is_fixed_size_binary(ty):
        one = lambda v: '"x:%s"' % v.hex()
    else:
        raise TypeError(f"no digest for {ty}")
    return ["null" if v is None else one(v) for v in values]


def digest(table):
    """`{"num_rows", "sha256", "sample"}` of an Arrow table."""
    columns = [encode(c.combine_chunks()) if not isinstance(c, pa.ChunkedArray) or c.num_chunks != 1 else encode(c.chunk(0)) for c in table.columns]
    rows = ["[" + ",".join(c[i] for c in columns) + "]" for i in range(table.num_rows)]
    rows.sort(key=lambda r: r.encode())
    h = hashlib.sha256()
    for row in rows:
        h.update(row.encode() + b"\n")
    return {"num_rows": len(rows), "sha256": h.hexdigest(), "sample": rows[:20]}
