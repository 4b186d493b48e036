/**
 * One connection between a viewer and a relay: two ordered streams of messages with a delay, a width and what can happen to a
 * TCP connection. Neither side is told more than TCP would tell it.
 */
import { BUFFER_HIGH_WATER_BYTES } from '../../core/protocol/limits.ts';
import { frameText, type Frame } from '../../ws-relay/frames.ts';
import type { Connected } from '../../ws-relay/hub.ts';
import type { Transport } from '../../ws-relay/viewer.ts';
import type { Actor, World } from './world.ts';

/** What the viewer's side is told. */
export interface ViewerEnd {
  readonly actor: Actor;
  frame(text: string): void;
  closed(code: number): void;
}

/** A close code for a connection that ended without one (RFC 6455, 7.1.5). */
const CUT = 1006;
const NO_CODE = 1005;
/** What a peer's kernel takes besides what we hold. */
const THROTTLED_BYTES_PER_SECOND = 20;
const NARROW_BYTES = 1_500;
/** A client's answer to a ping. */
const PONG_MS = 30;
const FAREWELL_MS = 3_000;

export class Link {
  readonly #world: World;
  readonly #viewer: ViewerEnd;
  readonly #relay: Actor;
  readonly #highWater: number;
  #connected: Connected | null = null;
  /** Relay to viewer: what was written and not taken yet. */
  readonly #down: { readonly text: string; readonly bytes: number }[] = [];
  #waiting = 0;
  #taken = 0;
  #flowing = false;
  /** Viewer to relay. */
  readonly #up: string[] = [];
  #held = false;
  #closing: number | null = null;
  #over = false;
  /** The relay knows that it is over. */
  #gone = false;
  /** Sees what the relay writes. */
  onWrite: ((text: string) => void) | null = null;
  /** Carries nothing any more, and says nothing of it. */
  dead = false;
  /** Milliseconds each way. */
  delayMs: number;
  throttled = false;

  constructor(world: World, viewer: ViewerEnd, relay: Actor, delayMs: number) {
    this.#highWater = world.faults.strikes('link_narrow') ? NARROW_BYTES : BUFFER_HIGH_WATER_BYTES;
    this.#world = world;
    this.#viewer = viewer;
    this.#relay = relay;
    this.delayMs = delayMs;
  }

  /** The relay's end; to be handed to its hub, whose answer is given to `accepted`. */
  readonly transport: Transport = {
    write: (frame: Frame) => this.#write(frame),
    feed: (frames) => frames.forEach((frame) => this.#write(frame)),
    room: () => this.#highWater - this.#waiting,
    waiting: () => this.#waiting,
    taken: () => this.#taken,
    hold: (held) => {
      this.#held = held;
      if (!held) this.#lift();
    },
    ping: () => {
      if (!this.dead && !this.throttled) this.#world.after(this.delayMs * 2 + PONG_MS, () => this.#toRelay((connected) => connected.ponged()));
    },
    close: (code) => {
      if (this.#gone || this.#closing !== null) return;
      this.#closing = code;
      if (!this.#over) this.#flow();
      // Whoever does not take the close frame is cut, as by the server's own limit on it.
      this.#world.after(FAREWELL_MS, () => this.#cutOff());
    },
  };

  #write(frame: Frame): void {
    if (this.#over || this.#closing !== null) return;
    this.#waiting += frame.length;
    const text = frameText(frame);
    this.onWrite?.(text);
    this.#down.push({ text, bytes: frame.length });
    this.#flow();
  }

  accepted(connected: Connected): void {
    this.#connected = connected;
    this.#lift();
  }

  /** Bytes that the relay holds for the viewer. */
  get waiting(): number {
    return this.#waiting;
  }

  get viewer(): Actor {
    return this.#viewer.actor;
  }

  get relay(): Actor {
    return this.#relay;
  }

  get over(): boolean {
    return this.#over;
  }

  /** The viewer sends a message. */
  send(text: string): void {
    if (this.#over) return;
    this.#up.push(text);
    this.#world.after(this.delayMs, () => this.#lift());
  }

  /** The viewer closes. */
  leave(): void {
    if (this.#over) return;
    this.#over = true;
    if (!this.dead) this.#world.after(this.delayMs, () => this.#toldRelay(NO_CODE));
  }

  /** Reset: both sides are told, as far as they live. */
  cut(): void {
    if (this.#over) return;
    this.#over = true;
    this.#toldRelay(CUT);
    this.#world.run(this.#viewer.actor, () => this.#viewer.closed(CUT));
  }

  /** A slow reader reads again, or a dead connection is noticed by its viewer's system. */
  restore(): void {
    this.throttled = false;
    if (this.dead) this.cut();
  }

  #toldRelay(code: number): void {
    this.#gone = true;
    this.#toRelay((connected) => connected.closed(code), true);
  }

  #cutOff(): void {
    if (this.#gone) return;
    this.#toldRelay(CUT);
    if (!this.#over && !this.dead) this.#world.run(this.#viewer.actor, () => this.#viewer.closed(CUT));
    this.#over = true;
  }

  #toRelay(tell: (connected: Connected) => void, even = false): void {
    const connected = this.#connected;
    if (connected !== null && (even || !this.#over)) this.#world.run(this.#relay, () => tell(connected));
  }

  #lift(): void {
    if (this.#held || this.dead || this.#connected === null) return;
    this.#toRelay((connected) => {
      // Whoever is told first may hold the rest back.
      while (!this.#held && !this.#over) {
        const text = this.#up.shift();
        if (text === undefined) return;
        connected.text(text, Buffer.byteLength(text));
      }
    });
  }

  #flow(): void {
    if (this.#flowing || this.#over) return;
    this.#flowing = true;
    const next = this.#down[0];
    const width = this.throttled && next !== undefined ? (next.bytes / THROTTLED_BYTES_PER_SECOND) * 1000 : 0;
    this.#world.after(this.delayMs + width, () => {
      this.#flowing = false;
      if (this.#over || this.dead) return;
      this.#arrive();
    });
  }

  /** What is on its way arrives together; a throttled viewer takes one after the other. */
  #arrive(): void {
    const arrived = this.throttled ? this.#down.splice(0, 1) : this.#down.splice(0);
    const bytes = arrived.reduce((sum, one) => sum + one.bytes, 0);
    this.#waiting -= bytes;
    this.#taken += bytes;
    for (const { text } of arrived) this.#world.run(this.#viewer.actor, () => this.#viewer.frame(text));
    if (this.#down.length > 0) this.#flow();
    else if (this.#closing !== null) this.#end(this.#closing);
    else if (bytes > 0) this.#toRelay((connected) => connected.drained());
  }

  #end(code: number): void {
    this.#over = true;
    this.#world.run(this.#viewer.actor, () => this.#viewer.closed(code));
    this.#toldRelay(code);
  }
}
