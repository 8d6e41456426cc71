/**
 * Building ONNX models: opset 17, ai.onnx.ml 3, IR 8, the oldest versions that hold all operators used here, so that
 * many runtimes read them. The same calls give the same bytes.
 *
 * @example
 * const g = new GraphBuilder('double_it')
 * const x = g.input('x', 'double', ['N', 3])
 * g.output('y', 'double', ['N', 3], g.node('Mul', [x, g.double([2], [])]))
 * const bytes = g.encode()
 */
import { create, fromBinary, toBinary } from '@bufbuild/protobuf'
import {
  type AttributeProto,
  AttributeProtoSchema,
  GraphProtoSchema,
  type ModelProto,
  ModelProtoSchema,
  type NodeProto,
  NodeProtoSchema,
  OperatorSetIdProtoSchema,
  type TensorProto,
  TensorProtoSchema,
  TensorShapeProto_DimensionSchema,
  TensorShapeProtoSchema,
  TypeProto_TensorSchema,
  TypeProtoSchema,
  type ValueInfoProto,
  ValueInfoProtoSchema,
} from './gen/onnx-ml_pb.ts'

export type { AttributeProto, ModelProto, NodeProto, TensorProto }

export const IR_VERSION = 8n
export const OPSET_VERSION = 17n
export const ML_OPSET_VERSION = 3n
export const ML_DOMAIN = 'ai.onnx.ml'

/** TensorProto.DataType. */
export const DATA_TYPES = { float: 1, int64: 7, bool: 9, double: 11 } as const
export type DataType = keyof typeof DATA_TYPES

/** AttributeProto.AttributeType. */
const FLOAT = 1
const INT = 2
const STRING = 3
const FLOATS = 6
const INTS = 7
const STRINGS = 8

/** An attribute with its ONNX type said outright, as 1 may be an int or a float. */
export type Attribute =
  | { readonly int: number }
  | { readonly float: number }
  | { readonly string: string }
  | { readonly ints: readonly number[] }
  | { readonly floats: readonly number[] }
  | { readonly strings: readonly string[] }

const utf8 = new TextEncoder()

function attribute(name: string, value: Attribute): AttributeProto {
  if ('int' in value) return create(AttributeProtoSchema, { name, type: INT, i: BigInt(value.int) })
  if ('float' in value) return create(AttributeProtoSchema, { name, type: FLOAT, f: value.float })
  if ('string' in value) return create(AttributeProtoSchema, { name, type: STRING, s: utf8.encode(value.string) })
  if ('ints' in value) return create(AttributeProtoSchema, { name, type: INTS, ints: value.ints.map(BigInt) })
  if ('floats' in value) return create(AttributeProtoSchema, { name, type: FLOATS, floats: [...value.floats] })
  // Node types repeat a handful of words: encode each once.
  const encoded = new Map<string, Uint8Array<ArrayBuffer>>()
  const strings = value.strings.map((text) => {
    const known = encoded.get(text) ?? utf8.encode(text)
    encoded.set(text, known)
    return known
  })
  return create(AttributeProtoSchema, { name, type: STRINGS, strings })
}

/** A dimension: a number, or a name for one known only at run time, as the batch `N`. */
export type Dimension = number | string

function valueInfo(name: string, type: DataType, shape: readonly Dimension[]): ValueInfoProto {
  const dim = shape.map((size) =>
    create(TensorShapeProto_DimensionSchema, {
      value: typeof size === 'number' ? { case: 'dimValue', value: BigInt(size) } : { case: 'dimParam', value: size },
    }),
  )
  const tensor = create(TypeProto_TensorSchema, {
    elemType: DATA_TYPES[type],
    shape: create(TensorShapeProtoSchema, { dim }),
  })
  return create(ValueInfoProtoSchema, {
    name,
    type: create(TypeProtoSchema, { value: { case: 'tensorType', value: tensor } }),
  })
}

/** Raw data are little-endian by ONNX, as is every machine that onnxruntime is built for. */
function bytesOf(array: Float64Array | Float32Array | BigInt64Array): Uint8Array<ArrayBuffer> {
  return new Uint8Array(array.buffer, array.byteOffset, array.byteLength).slice()
}

export class GraphBuilder {
  readonly #name: string
  readonly #doc: string
  readonly #nodes: NodeProto[] = []
  readonly #initializers: TensorProto[] = []
  readonly #inputs: ValueInfoProto[] = []
  readonly #outputs: ValueInfoProto[] = []
  readonly #domains = new Set<string>()
  #count = 0

  /** @param doc what the graph computes, kept in the file */
  constructor(name: string, doc = '') {
    this.#name = name
    this.#doc = doc
  }

  input(name: string, type: DataType, shape: readonly Dimension[]): string {
    this.#inputs.push(valueInfo(name, type, shape))
    return name
  }

  /** Gives `value` the output's name. */
  output(name: string, type: DataType, shape: readonly Dimension[], value: string): void {
    this.#outputs.push(valueInfo(name, type, shape))
    this.#nodes.push(create(NodeProtoSchema, { opType: 'Identity', input: [value], output: [name] }))
  }

  /** A double initialiser of the given dimensions; [] is a scalar. */
  double(values: ArrayLike<number>, dims: readonly number[] = [values.length]): string {
    return this.#initializer('double', bytesOf(Float64Array.from(values)), dims, values.length)
  }

  float(values: ArrayLike<number>, dims: readonly number[] = [values.length]): string {
    return this.#initializer('float', bytesOf(Float32Array.from(values)), dims, values.length)
  }

  int64(values: readonly number[], dims: readonly number[] = [values.length]): string {
    return this.#initializer('int64', bytesOf(BigInt64Array.from(values, BigInt)), dims, values.length)
  }

  /** A node with one output; returns that output's name. */
  node(opType: string, inputs: readonly string[], attributes: Readonly<Record<string, Attribute>> = {}): string {
    return this.#add('', opType, inputs, attributes, 1)[0] as string
  }

  /** A node with several outputs. */
  nodes(
    opType: string,
    inputs: readonly string[],
    outputs: number,
    attributes: Readonly<Record<string, Attribute>> = {},
  ): string[] {
    return this.#add('', opType, inputs, attributes, outputs)
  }

  /** A node of ai.onnx.ml with one output. */
  mlNode(opType: string, inputs: readonly string[], attributes: Readonly<Record<string, Attribute>>): string {
    return this.#add(ML_DOMAIN, opType, inputs, attributes, 1)[0] as string
  }

  build(): ModelProto {
    const opset = (domain: string, version: bigint) => create(OperatorSetIdProtoSchema, { domain, version })
    return create(ModelProtoSchema, {
      irVersion: IR_VERSION,
      producerName: 'portent',
      opsetImport: [
        opset('', OPSET_VERSION),
        ...(this.#domains.has(ML_DOMAIN) ? [opset(ML_DOMAIN, ML_OPSET_VERSION)] : []),
      ],
      graph: create(GraphProtoSchema, {
        name: this.#name,
        docString: this.#doc,
        node: this.#nodes,
        initializer: this.#initializers,
        input: this.#inputs,
        output: this.#outputs,
      }),
    })
  }

  encode(): Uint8Array {
    return encodeModel(this.build())
  }

  #initializer(type: DataType, rawData: Uint8Array<ArrayBuffer>, dims: readonly number[], length: number): string {
    if (dims.reduce((a, b) => a * b, 1) !== length) {
      throw new RangeError(`${length} values do not fill a tensor of [${dims.join(', ')}]`)
    }
    const name = `c${this.#count++}`
    this.#initializers.push(
      create(TensorProtoSchema, { name, dataType: DATA_TYPES[type], dims: dims.map(BigInt), rawData }),
    )
    return name
  }

  #add(
    domain: string,
    opType: string,
    input: readonly string[],
    attributes: Readonly<Record<string, Attribute>>,
    outputs: number,
  ): string[] {
    const name = `${opType}_${this.#count++}`
    const output = Array.from({ length: outputs }, (_, i) => (outputs === 1 ? name : `${name}_${i}`))
    this.#domains.add(domain)
    this.#nodes.push(
      create(NodeProtoSchema, {
        name,
        opType,
        domain,
        input: [...input],
        output,
        attribute: Object.entries(attributes).map(([key, value]) => attribute(key, value)),
      }),
    )
    return output
  }
}

export function encodeModel(model: ModelProto): Uint8Array {
  return toBinary(ModelProtoSchema, model)
}

/** @throws Error when the bytes are not a ModelProto */
export function decodeModel(bytes: Uint8Array): ModelProto {
  try {
    return fromBinary(ModelProtoSchema, bytes)
  } catch (cause) {
    throw new Error('not an ONNX model', { cause })
  }
}

/** The values of a float, double or int64 tensor kept inside the file. */
export function tensorValues(tensor: TensorProto): Float64Array {
  const raw = tensor.rawData
  const view = new DataView(raw.buffer, raw.byteOffset, raw.byteLength)
  switch (tensor.dataType) {
    case DATA_TYPES.float:
      if (raw.length === 0) return Float64Array.from(tensor.floatData)
      return Float64Array.from({ length: raw.length >> 2 }, (_, i) => view.getFloat32(4 * i, true))
    case DATA_TYPES.double:
      if (raw.length === 0) return Float64Array.from(tensor.doubleData)
      return Float64Array.from({ length: raw.length >> 3 }, (_, i) => view.getFloat64(8 * i, true))
    case DATA_TYPES.int64:
      if (raw.length === 0) return Float64Array.from(tensor.int64Data, Number)
      return Float64Array.from({ length: raw.length >> 3 }, (_, i) => Number(view.getBigInt64(8 * i, true)))
    default:
      throw new TypeError(`tensor ${tensor.name} has the unsupported data type ${tensor.dataType}`)
  }
}
