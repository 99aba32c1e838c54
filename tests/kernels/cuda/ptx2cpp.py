#!/usr/bin/env python3
"""ptx2cpp.py KERNELS.ptx > kernels.cpp - nvcc's own output as C++ over the shim.

A second way to run a kernel without a GPU: what is executed is what nvcc made of
the source, the inline assembler included, which the g++ build never sees.
Registers become variables, branches gotos; warp-wide instructions, shared and
global memory go through the shim and its checks.  An instruction that is not in
the table below is an error.
"""
import re
import sys

CTYPE = {
    'u8': 'uint8_t', 'b8': 'uint8_t',
    'u16': 'uint16_t', 's16': 'int16_t', 'b16': 'uint16_t', 'f16': 'uint16_t',
    'u32': 'uint32_t', 's32': 'int32_t', 'b32': 'uint32_t',
    'u64': 'uint64_t', 's64': 'int64_t', 'b64': 'uint64_t',
    'f32': 'float', 'f64': 'double', 'pred': 'bool',
}
SIZE = {t: int(re.sub(r'\D', '', t) or 8) // 8 for t in CTYPE}
COMPARE = {'eq': '==', 'ne': '!=', 'lt': '<', 'le': '<=', 'gt': '>', 'ge': '>=',
           'lo': '<', 'ls': '<=', 'hi': '>', 'hs': '>='}
# true if not ordered: the opposite is false
UNORDERED = {'ltu': '>=', 'leu': '>', 'gtu': '<=', 'geu': '<', 'equ': '!='}
INFIX = {'add': '+', 'sub': '-', 'and': '&', 'or': '|', 'xor': '^'}
SPECIAL = {'%tid.x': '(uint32_t)thread_x()', '%ctaid.x': '(uint32_t)block_x()',
           'dyn': 'shared_base()'}
MMA = re.compile(r'mma\.sync\.aligned\.m16n8k(8|16)\.row\.col\.f32\.(f16|bf16)\.\2\.f32')
# what executed instructions are counted as
COUNTED = (('mma', 1), ('ldmatrix', 2), ('cp.async.cg', 3))

parameter = None


def register(s):
    s = s.strip()
    return s.replace('%', 'r_') if s.startswith('%') else s + '_'


def value(s, t=None):
    s = s.strip()
    if re.fullmatch(r'0[fF][0-9a-fA-F]{8}', s):
        return f'as_float(0x{s[2:]}u)'
    if re.fullmatch(r'0[dD][0-9a-fA-F]{16}', s):
        return f'as_double(0x{s[2:]}ull)'
    if s in SPECIAL:
        return SPECIAL[s]
    if s.startswith('%'):
        return register(s)
    if s == parameter:
        return '(uint64_t)(uintptr_t)param'
    if re.fullmatch(r'-?(0[xX][0-9a-fA-F]+|\d+)U?', s):
        return s.rstrip('U') + ('LL' if t and '64' in t else '')
    if re.fullmatch(r'[A-Za-z_]\w*', s):
        return s + '_'          # a register declared inside braces
    raise SystemExit(f'operand {s}')


def address(s):
    m = re.fullmatch(r'\[\s*([^\]]+?)\s*(?:\+\s*(-?\w+))?\s*\]', s.strip())
    return f'({value(m.group(1))} + ({m.group(2) or 0}))'


def cast(t, s):
    return f'({CTYPE[t]})({value(s, t)})'


def unsigned(t):
    return t.replace('s', 'u') if t != 'pred' else t


def split(s):
    out, depth, part = [], 0, ''
    for ch in s:
        depth += (ch in '{[') - (ch in '}]')
        if ch == ',' and not depth:
            out.append(part.strip())
            part = ''
        else:
            part += ch
    if part.strip():
        out.append(part.strip())
    return out


def vector(s):
    return split(s.strip()[1:-1]) if s.strip().startswith('{') else [s]


def as_type(t, bits):
    return f'as_float({bits})' if t == 'f32' else bits


def bits_of(t, s):
    return f'as_bits({value(s)})' if t == 'f32' else f'(uint32_t){value(s)}'


def move(p, a):
    t = p[-1]
    wide = {'b32': 16, 'b64': 32}.get(t)
    if a[0].startswith('{'):
        half = 'uint16_t' if wide == 16 else 'uint32_t'
        return (f'{{ {CTYPE[t]} x = {cast(t, a[1])}; '
                + ' '.join(f'{register(r)} = ({half})(x >> {wide * i});'
                           for i, r in enumerate(vector(a[0]))) + ' }')
    if a[1].startswith('{'):
        return f'{register(a[0])} = ' + ' | '.join(
            f'({CTYPE[t]}){value(r)} << {wide * i}'
            for i, r in enumerate(vector(a[1]))) + ';'
    kinds = [re.match(r'%[a-z]*', x).group(0) if x.startswith('%') else '' for x in a]
    if set(kinds) in ({'%r', '%f'}, {'%rd', '%fd'}):
        return f'memcpy(&{register(a[0])}, &{register(a[1])}, sizeof {register(a[0])});'
    return f'{register(a[0])} = {value(a[1], t)};'


def load(p, a, line):
    t, space = p[-1], p[1]
    to = vector(a[0])
    if space == 'param':
        return ' '.join(
            f'{{ {CTYPE[t]} x; memcpy(&x, (const char *)(uintptr_t){address(a[1])}'
            f' + {i * SIZE[t]}, sizeof x); {register(r)} = x; }}'
            for i, r in enumerate(to))
    at = (f'(const void *)(uintptr_t){address(a[1])}' if space == 'global'
          else f'(uint32_t){address(a[1])}')
    name = 'ldg' if space == 'global' else 'lds'
    if 'v4' in p:
        return (f'{{ V4 v = {name}16({at}, {line}); ' + ' '.join(
            f'{register(r)} = {as_type(t, "v." + e)};' for r, e in zip(to, 'xyzw')) + ' }')
    if SIZE[t] == 2 and space == 'global':
        return f'{register(a[0])} = ldg2({at}, {line});'
    if t == 'f64' and space == 'shared':
        return f'{register(a[0])} = lds_double({at}, {line});'
    if SIZE[t] == 4 and len(to) == 1:
        return f'{register(a[0])} = {as_type(t, f"{name}4({at}, {line})")};'
    return None


def save(p, a, line):
    t, space = p[-1], p[1]
    v = vector(a[1])
    at = (f'(void *)(uintptr_t){address(a[0])}' if space == 'global'
          else f'(uint32_t){address(a[0])}')
    name = 'stg' if space == 'global' else 'sts'
    bits = [bits_of(t, x) for x in v]
    if 'v4' in p:
        return f'{{ V4 v = {{{", ".join(bits)}}}; {name}16({at}, v, {line}); }}'
    if 'v2' in p and space == 'shared':
        return f'sts8({at}, {bits[0]}, {bits[1]}, {line});'
    if SIZE[t] == 2 and space == 'global':
        return f'stg2({at}, (uint16_t){value(a[1])}, {line});'
    if t == 'f64' and space == 'shared':
        return f'sts_double({at}, {value(a[1])}, {line});'
    if SIZE[t] == 4 and len(v) == 1:
        return f'{name}4({at}, {bits[0]}, {line});'
    return None


def warp(op, p, a, line):
    if op == 'cp.async.cg.shared.global':
        n = value(a[3])
        return (f'if ({n} != 0 && {n} != 16) abort(); cp16((uint32_t){address(a[0])}, '
                f'(const void *)(uintptr_t){address(a[1])}, {n} == 16, {line});')
    if op == 'cp.async.commit_group':
        return 'cp_commit();'
    if op == 'cp.async.wait_group':
        return f'cp_wait_n({a[0]});'
    if p[0] == 'ldmatrix':
        r = vector(a[0])
        turned = 'true' if 'trans' in p else 'false'
        return (f'{{ uint32_t x[4]; ldmatrix_n(x, (uint32_t){address(a[1])}, {len(r)}, '
                f'{turned}, {line}); '
                + ' '.join(f'{register(v)} = x[{i}];' for i, v in enumerate(r)) + ' }')
    m = MMA.fullmatch(op)
    if m:
        d, x, y, c = (vector(v) for v in a)
        name = 'mma_16816' if m.group(1) == '16' else 'mma_1688'
        bf16 = 'true' if m.group(2) == 'bf16' else 'false'
        return (f'{{ float c[4] = {{{", ".join(value(v) for v in c)}}}; '
                f'uint32_t a[4] = {{{", ".join(value(v) for v in x)}}}, '
                f'b[2] = {{{", ".join(value(v) for v in y)}}}; '
                f'{name}(c, a, b, {bf16}, {line}); '
                + ' '.join(f'{register(v)} = c[{i}];' for i, v in enumerate(d)) + ' }')
    if op == 'shfl.sync.bfly.b32':
        return (f'{register(a[0].split("|")[0])} = as_bits(shfl_xor(as_float('
                f'(uint32_t){value(a[1])}), (int){value(a[2])}, {line}));')
    if p[0] == 'bar':
        return f'sync_warp({line});' if p[1] == 'warp' else 'sync_threads();'
    if op == 'atom.global.min.u64':
        return f'atomic_min((uint64_t *)(uintptr_t){address(a[1])}, {value(a[2])}, {line});'
    if op == 'trap':
        return 'abort();'
    return None


def convert(p, a):
    to, of = p[-2], p[-1]
    r = register(a[0])
    if (to, of) == ('f32', 'f16'):
        return f'{r} = f16_to((uint16_t){value(a[1])});'
    if (to, of) == ('f16x2', 'f32'):
        return f'{r} = f16_pair({value(a[2])}, {value(a[1])});'
    if (to, of) == ('bf16x2', 'f32'):
        return f'{r} = bf16_pair({value(a[2])}, {value(a[1])});'
    if (to, of) == ('f16', 'f32'):
        return f'{r} = f16_of({value(a[1])});'
    if p[1] == 'rni' and of == to == 'f64':
        return f'{r} = rint({value(a[1])});'
    return f'{r} = ({CTYPE[to]}){cast(of, a[1])};'


def compare(p, a):
    t, how = p[-1], p[1]
    x, y = cast(t, a[1]), cast(t, a[2])
    if how in UNORDERED:
        return f'{register(a[0])} = !({x} {UNORDERED[how]} {y});'
    if how == 'ne' and t[0] == 'f':
        return f'{register(a[0])} = {x} < {y} || {x} > {y};'
    return f'{register(a[0])} = {x} {COMPARE["ne" if how == "neu" else how]} {y};'


def real(k, p, a):
    """arithmetic of f32 and f64"""
    r, v = register(a[0]), [value(x) for x in a[1:]]
    suffix = 'f' if p[-1] == 'f32' else ''
    if k in ('add', 'sub', 'mul', 'div'):
        return f'{r} = {v[0]} {dict(INFIX, mul="*", div="/")[k]} {v[1]};'
    if k == 'fma':
        return f'{r} = fma{suffix}({v[0]}, {v[1]}, {v[2]});'
    if k == 'max' and suffix:
        return f'{r} = max_of({v[0]}, {v[1]});'
    if k == 'neg':
        return f'{r} = -{v[0]};'
    if k == 'rcp':
        return f'{r} = 1{".f" if suffix else "."} / {v[0]};'
    if k == 'sqrt':
        return f'{r} = sqrt{suffix}({v[0]});'
    if k == 'ex2':
        return f'{r} = exp2f({v[0]});'
    return None


def integer(k, p, a):
    t, r = p[-1], register(a[0])
    u = unsigned(t)
    if k in INFIX:
        return f'{r} = ({CTYPE[t]})({cast(u, a[1])} {INFIX[k]} {cast(u, a[2])});'
    if k == 'not':
        return f'{r} = {"!" if t == "pred" else "~"}{cast(t, a[1])};'
    if k == 'neg':
        return f'{r} = ({CTYPE[t]})(0 - {cast(u, a[1])});'
    if k in ('shl', 'shr'):
        width = SIZE[t] * 8
        far = f'({cast(t, a[1])} < 0 ? -1 : 0)' if t[0] == 's' else '0'
        n = f'(uint32_t)({value(a[2])})'
        return (f'{r} = {n} < {width} ? ({CTYPE[t]})({cast(t, a[1])} '
                f'{"<<" if k == "shl" else ">>"} {n}) : ({CTYPE[t]}){far};')
    if k in ('mul', 'mad') and 'lo' in p:
        more = f' + {cast(u, a[3])}' if k == 'mad' else ''
        return f'{r} = ({CTYPE[t]})({cast(u, a[1])} * {cast(u, a[2])}{more});'
    wide = 'int64_t' if t == 's32' else 'uint64_t'
    if k in ('mul', 'mad') and t in ('s32', 'u32'):
        product = f'({wide}){cast(t, a[1])} * ({wide}){cast(t, a[2])}'
        if 'hi' in p and k == 'mul':
            return f'{r} = (uint32_t)(({product}) >> 32);'
        if 'wide' in p:
            more = f' + ({wide}){value(a[3])}' if k == 'mad' else ''
            return f'{r} = (uint64_t)({product}{more});'
    if k in ('div', 'rem'):
        return f'{r} = {cast(t, a[1])} {"/" if k == "div" else "%"} {cast(t, a[2])};'
    if k in ('min', 'max'):
        return (f'{r} = {cast(t, a[1])} {"<" if k == "min" else ">"} {cast(t, a[2])} '
                f'? {cast(t, a[1])} : {cast(t, a[2])};')
    if k == 'bfi':
        return (f'{{ uint32_t n = {value(a[4])}, at = {value(a[3])}, '
                f'mask = (n >= 32 ? ~0u : (1u << n) - 1) << at; {r} = '
                f'((uint32_t)({value(a[1])}) << at & mask) | '
                f'((uint32_t)({value(a[2])}) & ~mask); }}')
    return None


def instruction(op, a, line):
    p = op.split('.')
    k, t = p[0], p[-1]
    c = warp(op, p, a, line)
    if c:
        return c
    if k == 'mov':
        c = move(p, a)
    elif k == 'ld':
        c = load(p, a, line)
    elif k == 'st':
        c = save(p, a, line)
    elif k == 'cvt':
        c = convert(p, a)
    elif k == 'cvta':
        c = f'{register(a[0])} = {value(a[1])};'
    elif k == 'setp' and len(p) == 3:
        c = compare(p, a)
    elif k == 'selp':
        c = f'{register(a[0])} = {value(a[3])} ? {cast(t, a[1])} : {cast(t, a[2])};'
    elif t in ('f32', 'f64'):
        c = real(k, p, a)
    else:
        c = integer(k, p, a)
    if not c:
        raise SystemExit(f'line {line}: unknown instruction {op} {a}')
    return c


def statement(s, line):
    m = re.match(r'\.reg\s+\.(\w+)\s+(.*)', s)
    if m:
        return f'{CTYPE[m.group(1)]} ' + ', '.join(
            x.strip() + '_' for x in m.group(2).split(',')) + ';'
    m = re.match(r'(?:@(!?)(%\w+)\s+)?([a-z][\w.]*)\s*(.*)', s, re.S)
    negated, predicate, op, rest = m.groups()
    a = split(rest)
    kind = next((n for name, n in COUNTED if op.startswith(name)), 0)
    if op in ('bra', 'bra.uni'):
        c = f'goto {a[0].replace("$", "")};'
    elif op in ('ret', 'exit'):
        c = 'return;'
    else:
        c = instruction(op, a, line)
    if predicate:
        c = f'if ({negated}{register(predicate)}) {{ {c} }}'
    return f'COUNT({kind}) {c}'


def scoped(text, line):
    """Inline assembler in braces is a scope of its own; vector operands have
    braces, too."""
    for part in text.split(';'):
        part = part.strip()
        while part.startswith('{') and not re.match(r'\{[^}]*\}\s*,', part):
            print('{')
            part = part[1:].strip()
        ends = 0
        while part.endswith('}') and part.count('}') > part.count('{'):
            ends += 1
            part = part[:-1].strip()
        if part:
            print('\t' + statement(part, line))
        print('}' * ends)


def body_line(text, line):
    m = re.match(r'\.reg \.(\w+)\s+%(\w+)<(\d+)>;', text)
    if m:
        print(f'\t{CTYPE[m.group(1)]} ' + ', '.join(
            f'r_{m.group(2)}{i}' for i in range(int(m.group(3)))) + ';')
    elif re.match(r'\$(\w+):', text):
        print(f'{text[1:-1]}:;')
    elif not text.startswith(('.pragma', '.loc', '.file')):
        scoped(text, line)


HEAD = '''#include "ir/ops.h"
#include "kernels/cuda/dev.h"
#include <stdlib.h>
#ifdef PTX_COUNT
#define COUNT(k) shim_executed[k]++;
#else
#define COUNT(k)
#endif'''


def main():
    global parameter
    print(HEAD)
    name, inside, size, threads = None, False, 0, 0
    for line, text in enumerate(open(sys.argv[1]), 1):
        brace = text.rstrip()   # of a function: at the margin
        text = text.split('//')[0].strip()
        m = re.match(r'\.visible \.entry (\w+)\(', text)
        if m:
            name, parameter = m.group(1), m.group(1) + '_param_0'
        elif not name:
            continue
        elif text.startswith('.param'):
            size = int(re.search(r'\[(\d+)\]', text).group(1))
        elif text.startswith('.maxntid'):
            threads = int(re.match(r'\.maxntid (\d+)', text).group(1))
        elif brace == '{':
            print(f'static void {name}(const void *param) {{')
            inside = True
        elif brace == '}':
            print(f'}}\nstatic ShimKernel shim_kernel_{name}("{name}", {name}, '
                  f'{threads}, {size});')
            name, inside = None, False
        elif inside and text:
            body_line(text, line)


main()
