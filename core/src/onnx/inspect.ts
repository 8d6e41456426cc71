/**
 * Looking into a model's bytes before any runtime loads them.
 *
 * A loaded model cannot be stopped: a run blocks its thread, and an endless Loop cannot even be ended by terminating the
 * worker. So what could run for ever, reach outside the file, or answer differently each time is refused unseen.
 */
import type { AttributeProto, GraphProto, ModelProto, NodeProto, TensorProto } from './gen/onnx-ml_pb.ts'
import { decodeModel, ML_DOMAIN } from './model.ts'

export interface Operator {
  /** '' is the standard domain ai.onnx. */
  readonly domain: string
  readonly type: string
}

/** Largest file accepted: 20 times a forest of 200 trees. */
export const MAX_MODEL_BYTES = 64 * 1024 * 1024

const DOMAINS = new Set(['', ML_DOMAIN])
/** Bodies that run a number of times decided at run time. */
const CONTROL_FLOW = new Set(['Loop', 'If', 'Scan', 'SequenceMap'])
/** Answers that differ from run to run. */
const RANDOM = /^(Random|Multinomial$|Bernoulli$|Dropout$)/
/** Outputs whose size is a number in the file, not the size of an input. */
const ALLOCATING = new Set([
  'ConstantOfShape',
  'Expand',
  'Tile',
  'Range',
  'Resize',
  'Upsample',
  'Pad',
  'EyeLike',
  'OneHot',
])

/** Every distinct operator, in order of first use; those of subgraphs and local functions too. */
export function operatorsOf(bytes: Uint8Array): Operator[] {
  const seen = new Map<string, Operator>()
  for (const node of nodesOf(decodeModel(bytes))) {
    const domain = domainOf(node)
    seen.set(`${domain}/${node.opType}`, { domain, type: node.opType })
  }
  return [...seen.values()]
}

/** Why a model must not be loaded, or null. Never throws. */
export function vetModel(bytes: Uint8Array): string | null {
  if (bytes.length > MAX_MODEL_BYTES) return `is larger than ${MAX_MODEL_BYTES} bytes`
  let model: ModelProto
  try {
    model = decodeModel(bytes)
  } catch {
    return 'is not an ONNX model'
  }
  if (!model.graph || model.graph.node.length === 0) return 'holds no graph'
  if (model.functions.length > 0) return 'defines functions of its own'
  if (model.trainingInfo.length > 0) return 'holds training graphs'
  for (const { domain } of model.opsetImport) {
    if (!DOMAINS.has(standard(domain))) return `imports the operator domain ${domain}`
  }
  for (const node of nodesOf(model)) {
    const reason = vetNode(node)
    if (reason) return reason
  }
  const { initializer, sparseInitializer } = model.graph
  if (sparseInitializer.length > 0) return 'holds sparse tensors'
  return initializer.map(vetTensor).find((reason) => reason !== null) ?? null
}

function vetNode(node: NodeProto): string | null {
  const domain = domainOf(node)
  if (!DOMAINS.has(domain)) return `uses the operator ${domain}.${node.opType}`
  if (CONTROL_FLOW.has(node.opType)) return `uses the control flow operator ${node.opType}`
  if (RANDOM.test(node.opType)) return `uses the random operator ${node.opType}`
  if (ALLOCATING.has(node.opType)) return `uses the operator ${node.opType}, whose output may have any size`
  for (const attribute of node.attribute) {
    if (attribute.g || attribute.graphs.length > 0) return `has a subgraph in ${node.opType}`
    if (attribute.sparseTensor || attribute.sparseTensors.length > 0) return `has a sparse tensor in ${node.opType}`
    for (const tensor of tensorsOf(attribute)) {
      const reason = vetTensor(tensor)
      if (reason) return reason
    }
  }
  return null
}

/** A tensor must hold its own data, and as much as its dimensions say. */
function vetTensor(tensor: TensorProto): string | null {
  if (tensor.dataLocation !== 0 || tensor.externalData.length > 0)
    return `reads tensor ${tensor.name} from another file`
  if (tensor.dims.some((n) => n < 0n)) return `has a negative dimension in tensor ${tensor.name}`
  const elements = tensor.dims.reduce((a, b) => a * b, 1n)
  const held =
    tensor.rawData.length +
    tensor.floatData.length +
    tensor.int32Data.length +
    tensor.int64Data.length +
    tensor.doubleData.length +
    tensor.uint64Data.length +
    tensor.stringData.length
  // Four-bit types pack two elements into a byte; nothing packs more.
  if (elements > 4n * BigInt(held))
    return `has tensor ${tensor.name} with ${elements} elements and ${held} values or bytes`
  return null
}

function* tensorsOf(attribute: AttributeProto): Generator<TensorProto> {
  if (attribute.t) yield attribute.t
  yield* attribute.tensors
}

function* nodesOf(model: ModelProto): Generator<NodeProto> {
  if (model.graph) yield* graphNodes(model.graph)
  for (const f of model.functions) for (const node of f.node) yield* withBodies(node)
}

function* graphNodes(graph: GraphProto): Generator<NodeProto> {
  for (const node of graph.node) yield* withBodies(node)
}

function* withBodies(node: NodeProto): Generator<NodeProto> {
  yield node
  for (const attribute of node.attribute) {
    if (attribute.g) yield* graphNodes(attribute.g)
    for (const graph of attribute.graphs) yield* graphNodes(graph)
  }
}

function standard(domain: string): string {
  return domain === 'ai.onnx' ? '' : domain
}

function domainOf(node: NodeProto): string {
  return standard(node.domain)
}
