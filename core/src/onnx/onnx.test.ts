import { create } from '@bufbuild/protobuf'
import t from 'tap'
import {
  AttributeProtoSchema,
  FunctionProtoSchema,
  GraphProtoSchema,
  type ModelProto,
  NodeProtoSchema,
  StringStringEntryProtoSchema,
} from './gen/onnx-ml_pb.ts'
import { MAX_MODEL_BYTES, operatorsOf, vetModel } from './inspect.ts'
import { type Attribute, DATA_TYPES, decodeModel, encodeModel, GraphBuilder, tensorValues } from './model.ts'

function builder(): { g: GraphBuilder; x: string } {
  const g = new GraphBuilder('test', 'doubles x')
  const x = g.input('x', 'double', ['N', 3])
  return { g, x }
}

function doubled(): ModelProto {
  const { g, x } = builder()
  g.output('y', 'double', ['N', 3], g.node('Mul', [x, g.double([2], [])]))
  return g.build()
}

const changed = (change: (model: ModelProto, graph: NonNullable<ModelProto['graph']>) => void) => {
  const model = doubled()
  change(model, model.graph as NonNullable<ModelProto['graph']>)
  return vetModel(encodeModel(model))
}

t.test('the same calls give the same bytes, and they decode to the same model', async (t) => {
  const bytes = encodeModel(doubled())
  t.same(encodeModel(doubled()), bytes)
  t.same(encodeModel(decodeModel(bytes)), bytes)
})

t.test('a model names its versions, inputs with the symbolic batch, and outputs', async (t) => {
  const model = decodeModel(encodeModel(doubled()))
  t.equal(model.irVersion, 8n)
  t.same(
    model.opsetImport.map(({ domain, version }) => [domain, version]),
    [['', 17n]],
  )
  const type = model.graph?.input[0]?.type?.value
  if (type?.case !== 'tensorType') throw new Error('the input is no tensor')
  t.equal(type.value.elemType, DATA_TYPES.double)
  t.same(
    type.value.shape?.dim.map((dim) => dim.value.value),
    ['N', 3n],
  )
  t.equal(model.graph?.output[0]?.name, 'y')
})

t.test('initialisers of every type read back as they were written', async (t) => {
  const { g, x } = builder()
  g.double([0.1, -1e300], [2])
  g.float([0.1, 3], [1, 2])
  g.int64([-1, 2 ** 40])
  g.output('y', 'double', ['N', 3], x)
  const tensors = decodeModel(g.encode()).graph?.initializer ?? []
  t.same(
    tensors.map((tensor) => [...tensorValues(tensor)]),
    [
      [0.1, -1e300],
      [Math.fround(0.1), 3],
      [-1, 2 ** 40],
    ],
  )
  t.throws(() => g.double([1, 2], [3]), /do not fill/)
})

t.test('attributes of every type are kept', async (t) => {
  const { g, x } = builder()
  const attributes: Record<string, Attribute> = {
    a: { int: -3 },
    b: { float: 0.5 },
    c: { string: 'word' },
    d: { ints: [1, 2] },
    e: { floats: [0.25] },
    f: { strings: ['x', 'y', 'x'] },
  }
  g.output('y', 'double', ['N', 3], g.node('Anything', [x], attributes))
  const found = decodeModel(g.encode()).graph?.node[0]?.attribute ?? []
  const text = new TextDecoder()
  t.same(
    found.map((a) => [a.name, a.type]),
    [
      ['a', 2],
      ['b', 1],
      ['c', 3],
      ['d', 7],
      ['e', 6],
      ['f', 8],
    ],
  )
  t.equal(found[0]?.i, -3n)
  t.equal(found[1]?.f, 0.5)
  t.equal(text.decode(found[2]?.s), 'word')
  t.same(found[3]?.ints, [1n, 2n])
  t.same(found[4]?.floats, [0.25])
  t.same(
    found[5]?.strings.map((s) => text.decode(s)),
    ['x', 'y', 'x'],
  )
})

t.test('operators are listed once, those of subgraphs too', async (t) => {
  const model = doubled()
  const inner = create(GraphProtoSchema, { node: [create(NodeProtoSchema, { opType: 'Relu', output: ['z'] })] })
  const body = create(AttributeProtoSchema, { name: 'then_branch', type: 5, g: inner })
  model.graph?.node.push(create(NodeProtoSchema, { opType: 'If', attribute: [body] }))
  t.same(operatorsOf(encodeModel(model)), [
    { domain: '', type: 'Mul' },
    { domain: '', type: 'Identity' },
    { domain: '', type: 'If' },
    { domain: '', type: 'Relu' },
  ])
})

t.test('a plain model passes', async (t) => {
  t.equal(vetModel(encodeModel(doubled())), null)
})

t.test('a model that could hang, reach out, differ or swell is refused with the reason', async (t) => {
  const node = (opType: string, domain = '') => create(NodeProtoSchema, { opType, domain, output: ['z'] })
  const graph = create(GraphProtoSchema, { node: [node('Relu')] })
  const refused: [string, RegExp][] = []
  const expectRefusal = (reason: string | null, pattern: RegExp) => refused.push([reason ?? 'accepted', pattern])

  for (const op of ['Loop', 'If', 'Scan']) {
    expectRefusal(
      changed((_, g) => g.node.push(node(op))),
      new RegExp(`control flow operator ${op}`),
    )
  }
  expectRefusal(
    changed((_, g) => g.node.push(node('FusedMatMul', 'com.microsoft'))),
    /com\.microsoft\.FusedMatMul/,
  )
  expectRefusal(
    changed((_, g) => g.node.push(node('RandomNormal'))),
    /random operator/,
  )
  expectRefusal(
    changed((_, g) => g.node.push(node('ConstantOfShape'))),
    /may have any size/,
  )
  expectRefusal(
    changed((model) => {
      ;(model.opsetImport[0] as { domain: string }).domain = 'org.example'
    }),
    /imports the operator domain org\.example/,
  )
  expectRefusal(
    changed((model) => model.functions.push(create(FunctionProtoSchema, { name: 'f' }))),
    /functions/,
  )
  expectRefusal(
    changed((_, g) => g.node[0]?.attribute.push(create(AttributeProtoSchema, { name: 'body', g: graph }))),
    /subgraph in Mul/,
  )
  expectRefusal(
    changed((_, g) => {
      const tensor = g.initializer[0] as NonNullable<(typeof g.initializer)[0]>
      tensor.dataLocation = 1
      tensor.externalData = [create(StringStringEntryProtoSchema, { key: 'location', value: '/etc/passwd' })]
    }),
    /another file/,
  )
  expectRefusal(
    changed((_, g) => {
      ;(g.initializer[0] as { dims: bigint[] }).dims = [1n << 40n]
    }),
    /1099511627776 elements and 8 values/,
  )
  expectRefusal(
    changed((model) => {
      delete model.graph
    }),
    /no graph/,
  )
  expectRefusal(vetModel(new Uint8Array(0)), /no graph/)
  expectRefusal(vetModel(new Uint8Array(64).fill(255)), /not an ONNX model/)
  expectRefusal(vetModel(encodeModel(doubled()).slice(0, -3)), /not an ONNX model/)
  expectRefusal(vetModel({ length: MAX_MODEL_BYTES + 1 } as Uint8Array), /larger than/)
  for (const [reason, pattern] of refused) t.match(reason, pattern)
})

t.test('no change of single bytes makes vetting throw', async (t) => {
  const bytes = encodeModel(doubled())
  for (let i = 0; i < bytes.length; i++) {
    for (const value of [0, 255, (bytes[i] as number) ^ 1]) {
      const broken = bytes.slice()
      broken[i] = value
      vetModel(broken)
    }
  }
  t.pass('all were vetted')
})
