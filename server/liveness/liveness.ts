import { logoutMarker } from '../session/logout-marker.ts';
import type { LiveSession, SessionReader } from '../session/read-session.ts';
import {
  SessionBusyError,
  type SessionName,
  type StoreError,
  type Subscription as StoreSubscription,
} from '../session/store.ts';
import { CheckedSession, type Subscriber, type Surroundings } from './checked-session.ts';
import { Schedule } from './schedule.ts';

/** For so many milliseconds sessions wait for each other, so that the store is asked for the TTLs of all of them at once. */
const gatherTtlsFor = 50;

export interface LivenessOptions
  extends Pick<Surroundings, 'interval' | 'grace' | 'keepalive' | 'onCheck' | 'onEnd'> {
  /** The store fell silent, or answers again (null). Called once for each change. */
  onStore(silent: StoreError | null): void;
  /** The store answers, but this session cannot be read now. Called at each check. */
  onUnreadable(error: SessionBusyError): void;
  /** The store no longer sends notifications, or sends them again (null). Called once for each change. */
  onNotifications(lost: StoreError | null): void;
  /** A session in use could not be renewed. Called once for each error message, however often it happens. */
  onKeepaliveFailure(error: StoreError): void;
}

/** A connection's subscription to its session. */
export class SessionSubscription {
  readonly #session: CheckedSession;
  readonly #subscriber: Subscriber;

  constructor(session: CheckedSession, subscriber: Subscriber) {
    this.#session = session;
    this.#subscriber = subscriber;
  }

  /** The user has written something in the chat, which can keep the session alive. */
  written(): void {
    this.#session.written();
  }

  end(): void {
    this.#session.unsubscribe(this.#subscriber);
  }
}

/**
 * Whether the session of each open connection is still alive. Connections subscribe to their session, which is checked
 * once in an interval for all that share it, and at once when the store notifies a change. `CheckedSession` decides
 * what a check leads to.
 */
export class Liveness {
  readonly #options: LivenessOptions;
  readonly #around: Surroundings;
  readonly #schedule: Schedule<CheckedSession>;
  readonly #notifications: StoreSubscription;
  readonly #byId = new Map<string, CheckedSession>();
  /** By the marker that PHP leaves at a logout, which does not reveal the id. */
  readonly #byMarker = new Map<string, CheckedSession>();
  /** Sessions whose last check got no answer: of a store's servers only one may be silent. */
  readonly #unanswered = new Set<CheckedSession>();
  #silent = false;
  /** New sessions whose TTL is to be asked for. */
  #fresh: CheckedSession[] = [];

  constructor(reader: SessionReader, options: LivenessOptions) {
    this.#options = options;
    // Few: no message of a store names a session.
    const failures = new Set<string>();
    this.#around = {
      ...options,
      reader,
      onKeepaliveFailure(error) {
        if (failures.has(error.message)) return;
        failures.add(error.message);
        options.onKeepaliveFailure(error);
      },
      onAnswer: (session) => this.#answered(session),
      onFailure: (session, error) => this.#failed(session, error),
      onRelease: (session) => this.#release(session),
    };
    this.#schedule = new Schedule(options.interval, (sessions) => {
      for (const session of sessions) session.turn();
    });
    this.#notifications = reader.subscribe({
      changed: (name) => this.#named(name)?.notified(),
      opened: (name) => this.#named(name)?.opened(),
      lost: options.onNotifications,
    });
  }

  /** No session is checked any more. */
  stop(): void {
    this.#notifications();
    this.#schedule.stop();
  }

  subscribe(session: LiveSession, subscriber: Subscriber): SessionSubscription {
    let checked = this.#byId.get(session.id);
    if (checked?.user.id !== session.user.id) {
      // Connections of an earlier user need not wait for the next check.
      checked?.end('user_changed');
      checked = this.#add(session);
    }
    checked.subscribe(subscriber, session);
    return new SessionSubscription(checked, subscriber);
  }

  /** Ends all sessions of a user. */
  kick(user: string): void {
    const sessions = [...this.#byId.values()].filter((session) => session.user.id === user);
    for (const session of sessions) session.end('kicked');
  }

  #named(name: SessionName): CheckedSession | undefined {
    return 'id' in name ? this.#byId.get(name.id) : this.#byMarker.get(name.marker);
  }

  #add(session: LiveSession): CheckedSession {
    const checked = new CheckedSession(session, this.#around, this.#notifications.follow?.(session.id));
    this.#byId.set(checked.id, checked);
    this.#byMarker.set(logoutMarker(checked.id), checked);
    this.#schedule.add(checked);
    if (this.#fresh.push(checked) === 1) setTimeout(() => this.#askTtls(), gatherTtlsFor).unref();
    return checked;
  }

  #askTtls(): void {
    for (const session of this.#fresh.splice(0)) session.askTtl();
  }

  #release(session: CheckedSession): void {
    this.#byId.delete(session.id);
    this.#byMarker.delete(logoutMarker(session.id));
    this.#schedule.delete(session);
    this.#unanswered.delete(session);
  }

  #answered(session: CheckedSession): void {
    this.#unanswered.delete(session);
    if (!this.#silent || this.#unanswered.size > 0) return;
    this.#silent = false;
    this.#options.onStore(null);
  }

  #failed(session: CheckedSession, error: StoreError): void {
    if (error instanceof SessionBusyError) {
      this.#answered(session);
      this.#options.onUnreadable(error);
      return;
    }
    this.#unanswered.add(session);
    if (this.#silent) return;
    this.#silent = true;
    this.#options.onStore(error);
  }
}
