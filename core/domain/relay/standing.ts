/** How a session stands: its token's end, and whether its rights are confirmed. */
import { RIGHTS_RECHECK_MS, RIGHTS_UNCONFIRMED_MAX_MS, TOKEN_WARNING_MS } from '../../protocol/limits.ts';
import type { SessionUser, Times } from './effects.ts';

/** What the passing of time calls for. */
export type Due = 'token_expired' | 'warn' | 'check_rights' | 'pause';

export class Standing {
  /** Nothing of a call is sent: the rights could not be confirmed for too long. */
  paused = false;
  #warned = false;
  #confirmedAt = 0;
  #checkAskedAt = 0;

  /** The rights were just confirmed. Answers whether the session was paused until now. */
  confirmed(at: Times): boolean {
    const { paused } = this;
    this.#confirmedAt = at.mono;
    this.paused = false;
    return paused;
  }

  /** The rights are being asked about. */
  asked(at: Times): void {
    this.#checkAskedAt = at.mono;
  }

  /** A fresh token came: its end will be warned of again. */
  refreshed(): void {
    this.#warned = false;
  }

  /** Whether the token has ended. */
  isOver(user: SessionUser, at: Times): boolean {
    return leftMs(user, at) <= 0;
  }

  /** Once a second. */
  due(user: SessionUser, at: Times): readonly Due[] {
    if (this.isOver(user, at)) return ['token_expired'];
    const due: Due[] = [];
    if (leftMs(user, at) <= TOKEN_WARNING_MS && !this.#warned) {
      this.#warned = true;
      due.push('warn');
    }
    // An outside provider's user is good until the token's end.
    if (!user.local) return due;
    if (at.mono - this.#checkAskedAt >= RIGHTS_RECHECK_MS) due.push('check_rights');
    if (!this.paused && at.mono - this.#confirmedAt >= RIGHTS_UNCONFIRMED_MAX_MS) {
      this.paused = true;
      due.push('pause');
    }
    return due;
  }

  /** Monotonic milliseconds before which nothing is due. */
  nextDue(user: SessionUser, at: Times): number {
    const tokenDue = at.mono + leftMs(user, at) - (this.#warned ? 0 : TOKEN_WARNING_MS);
    if (!user.local) return tokenDue;
    return Math.min(tokenDue, this.#checkAskedAt + RIGHTS_RECHECK_MS, this.#confirmedAt + RIGHTS_UNCONFIRMED_MAX_MS);
  }
}

const leftMs = (user: SessionUser, at: Times): number => user.expires_at * 1000 - at.now;
