/** Network cards and connections: throughput, loss, retransmissions, errors. */
import type { Random } from '../random.ts'
import { clamp, jitter, poisson } from './draw.ts'
import type { Disturbance } from './faults.ts'
import type { JobLoad } from './jobs.ts'
import type { HostProfile } from './profile.ts'

export class Network {
  /** Bytes per second. */
  receive = 0
  transmit = 0
  /** Packets per second, both ways. */
  packets = 0
  /** Share of the segments sent that were sent before. */
  retransmit = 0
  /** Per second. */
  errors = 0
  /** Mean of the connections open. */
  connections: number

  readonly #profile: HostProfile
  readonly #interval: number

  constructor(profile: HostProfile, intervalSeconds: number) {
    this.#profile = profile
    this.#interval = intervalSeconds
    this.connections = profile.service.connectionsIdle
  }

  /** A restart closes what the service had open. */
  restart(): void {
    const { connectionsIdle } = this.#profile.service
    this.connections = connectionsIdle + (this.connections - connectionsIdle) * 0.08
  }

  /** `served`: level of the work that the service takes; `slow`: how many times longer than usual it takes. */
  step(served: number, slow: number, jobs: JobLoad, d: Disturbance, random: Random): void {
    const { network, service } = this.#profile
    const dt = this.#interval
    // A sender halves its window at every loss: throughput falls as 1 / sqrt(loss), and to nothing where all is lost.
    const open = d.networkSilent ? 0 : 1
    const passed = d.loss > 0 ? Math.min(1, 0.03 / Math.sqrt(d.loss)) * Math.max(0, 1 - d.loss) : 1
    const idle = poisson(random, network.idlePackets * dt) * network.idlePacketBytes * Math.max(0, open - d.loss)
    const answered = idle * 0.4 * random.uniform()
    let receive = (network.receivePeak * served * jitter(random, 0.06) + jobs.receive) * passed * open
    let transmit = (network.transmitPeak * served * jitter(random, 0.06) + jobs.transmit) * passed * open
    receive = Math.min(receive, network.capacity * 0.98)
    transmit = Math.min(transmit, network.capacity * 0.98)
    this.receive = Math.round(receive * dt + idle) / dt
    this.transmit = Math.round(transmit * dt + answered) / dt
    this.packets = (this.receive + this.transmit) / 900
    const crowded = Math.max(receive, transmit) / network.capacity
    const share = clamp(network.retransmit * (1 + 30 * Math.max(0, crowded - 0.6)) + d.loss * 0.9, 0, 1)
    // What is lost is sent again: the attempts go on where nothing passes.
    const segments = Math.round(
      (this.transmit / 1000 + this.receive / 3000 + (d.loss > 0 ? served * 2 * d.loss : 0)) * dt,
    )
    this.retransmit = segments === 0 ? 0 : Math.min(1, poisson(random, segments * share) / segments)
    this.errors = poisson(random, (network.drops + d.networkErrors + (crowded > 0.9 ? 5 : 0)) * dt) / dt
    const usual = service.connectionsIdle + service.connectionsPeak * served
    const target = usual * Math.min(4, Math.sqrt(Math.max(1, slow))) * (d.loss > 0.5 ? 1.6 - d.loss : 1) + d.connections
    this.connections += (target - this.connections) * (1 - Math.exp(-dt / 45))
  }
}
