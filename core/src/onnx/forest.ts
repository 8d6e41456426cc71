/**
 * An isolation forest as an ONNX file, and the same file read back as plain trees.
 *
 * Graph: x [N,F] float -> Clip -> TreeEnsembleRegressor (mean path length) -> Mul(-1/c(psi)) -> Pow(2, .) -> score [N]
 * double, after Liu, Ting and Zhou (2008). Node counts of the training samples are kept as `nodes_hitrates`, an optional
 * attribute that runtimes ignore, so that TreeSHAP needs nothing but the file.
 */
import { averagePathLength, emptyTree, type Forest, type Tree } from '../forest.ts'
import { decodeModel, GraphBuilder, ML_DOMAIN, type NodeProto, tensorValues } from './model.ts'

/** The ONNX file of a forest. Input `features` [N,F] float, output `score` [N] double. */
export function encodeForest(forest: Forest): Uint8Array {
  const g = new GraphBuilder('isolation_forest', 'Isolation forest: 2^(-mean path length / c(psi))')
  const features = g.input('features', 'float', ['N', forest.features])
  const x =
    forest.clip === null
      ? features
      : g.node('Clip', [features, g.float([-forest.clip], []), g.float([forest.clip], [])])
  const path = g.mlNode('TreeEnsembleRegressor', [x], ensembleAttributes(forest))
  const scale = g.double([-1 / averagePathLength(forest.subsample)], [])
  const exponent = g.node('Mul', [g.node('Cast', [path], { to: { int: 11 } }), scale])
  const score = g.node('Pow', [g.double([2], []), exponent])
  g.output('score', 'double', ['N'], g.node('Squeeze', [score, g.int64([1])]))
  return g.encode()
}

function ensembleAttributes(forest: Forest) {
  const treeids: number[] = []
  const nodeids: number[] = []
  const featureids: number[] = []
  const values: number[] = []
  const modes: string[] = []
  const trues: number[] = []
  const falses: number[] = []
  const hitrates: number[] = []
  const targetTrees: number[] = []
  const targetNodes: number[] = []
  const weights: number[] = []
  for (const [t, tree] of forest.trees.entries()) {
    for (let i = 0; i < tree.left.length; i++) {
      const leaf = (tree.left[i] as number) < 0
      treeids.push(t)
      nodeids.push(i)
      featureids.push(leaf ? 0 : (tree.feature[i] as number))
      values.push(leaf ? 0 : (tree.threshold[i] as number))
      modes.push(leaf ? 'LEAF' : 'BRANCH_LEQ')
      trues.push(leaf ? 0 : (tree.left[i] as number))
      falses.push(leaf ? 0 : (tree.right[i] as number))
      hitrates.push(tree.count[i] as number)
      if (leaf) {
        targetTrees.push(t)
        targetNodes.push(i)
        weights.push(tree.value[i] as number)
      }
    }
  }
  return {
    aggregate_function: { string: 'AVERAGE' },
    n_targets: { int: 1 },
    nodes_treeids: { ints: treeids },
    nodes_nodeids: { ints: nodeids },
    nodes_featureids: { ints: featureids },
    nodes_values: { floats: values },
    nodes_modes: { strings: modes },
    nodes_truenodeids: { ints: trues },
    nodes_falsenodeids: { ints: falses },
    nodes_hitrates: { floats: hitrates },
    target_treeids: { ints: targetTrees },
    target_nodeids: { ints: targetNodes },
    target_ids: { ints: targetNodes.map(() => 0) },
    target_weights: { floats: weights },
  } as const
}

/**
 * The trees of a file written by {@link encodeForest}.
 * @throws Error saying what is missing or broken: every index is checked, so that walking a tree always ends
 */
export function decodeForest(bytes: Uint8Array): Forest {
  const graph = decodeModel(bytes).graph
  const node = graph?.node.find((n) => n.domain === ML_DOMAIN && n.opType === 'TreeEnsembleRegressor')
  if (!graph || !node) throw new Error('the model holds no TreeEnsembleRegressor')
  const type = graph.input.find((x) => x.name === 'features')?.type?.value
  const width = type?.case === 'tensorType' ? type.value.shape?.dim[1]?.value : undefined
  if (width?.case !== 'dimValue') throw new Error('the forest has no input features [N,F]')
  const features = Number(width.value)

  const ints = (name: string) => attributeOf(node, name).ints
  const floats = (name: string) => attributeOf(node, name).floats
  const nodes = {
    tree: ints('nodes_treeids'),
    id: ints('nodes_nodeids'),
    feature: ints('nodes_featureids'),
    threshold: floats('nodes_values'),
    mode: attributeOf(node, 'nodes_modes').strings,
    left: ints('nodes_truenodeids'),
    right: ints('nodes_falsenodeids'),
    count: floats('nodes_hitrates'),
  }
  const n = nodes.tree.length
  if (Object.values(nodes).some((list) => list.length !== n))
    throw new Error('the forest lists nodes of unequal length')

  const sizes: number[] = []
  for (const t of nodes.tree) {
    if (Number(t) !== sizes.length - 1) sizes.push(0)
    if (Number(t) !== sizes.length - 1) throw new Error('the trees of the forest are not in order')
    sizes[sizes.length - 1] = (sizes[sizes.length - 1] as number) + 1
  }
  const trees: Tree[] = []
  const decoder = new TextDecoder()
  let at = 0
  for (const [t, size] of sizes.entries()) {
    const tree = emptyTree(size)
    for (let i = 0; i < size; i++, at++) {
      const mode = decoder.decode(nodes.mode[at])
      if (Number(nodes.id[at]) !== i) throw new Error(`the nodes of tree ${t} are not in order`)
      if (mode !== 'LEAF' && mode !== 'BRANCH_LEQ') throw new Error(`tree ${t} has a node of mode ${mode}`)
      tree.count[i] = nodes.count[at] as number
      if (mode === 'LEAF') continue
      const [left, right, feature] = [Number(nodes.left[at]), Number(nodes.right[at]), Number(nodes.feature[at])]
      // Children come after their parent, so that no walk can go in circles.
      if (!(left > i && left < size && right > i && right < size && feature >= 0 && feature < features)) {
        throw new Error(`node ${i} of tree ${t} points outside its tree`)
      }
      tree.left[i] = left
      tree.right[i] = right
      tree.feature[i] = feature
      tree.threshold[i] = nodes.threshold[at] as number
    }
    trees.push(tree)
  }
  if (trees.length === 0) throw new Error('the forest has no trees')
  const targets = ints('target_treeids')
  const targetNodes = ints('target_nodeids')
  const weights = floats('target_weights')
  for (let k = 0; k < targets.length; k++) {
    const tree = trees[Number(targets[k])]
    const i = Number(targetNodes[k])
    if (!tree || !(i >= 0 && i < tree.value.length)) throw new Error('a leaf value of the forest belongs to no node')
    tree.value[i] = weights[k] as number
  }
  const subsample = Math.max(...trees.map((tree) => tree.count[0] as number))
  return { trees, features, subsample, clip: clipOf(graph, node) }
}

function clipOf(graph: NonNullable<ReturnType<typeof decodeModel>['graph']>, ensemble: NodeProto): number | null {
  const clip = graph.node.find((n) => n.opType === 'Clip' && n.output[0] === ensemble.input[0])
  if (!clip) return null
  const limit = graph.initializer.find((tensor) => tensor.name === clip.input[2])
  if (!limit) throw new Error('the clip of the forest has no upper limit')
  return tensorValues(limit)[0] as number
}

function attributeOf(node: NodeProto, name: string) {
  const found = node.attribute.find((a) => a.name === name)
  if (!found) throw new Error(`the forest has no ${name}`)
  return found
}
