import { createHmac } from 'node:crypto';
import type { StoredDevice } from '../history/history.ts';
import type { NotifySettings } from '../notify/settings.ts';
import { NotificationTexts } from '../notify/texts.ts';
import type { UnreadRoom } from '../notify/unread.ts';
import type { Fcm } from './fcm.ts';
import { type Notice, namelessNotice, noticeOf } from './notice.ts';
import type { PushOutcome, PushServices } from './push-service.ts';
import type { DeviceAddress, DeviceLogin, DeviceRegistry } from './registry.ts';
import type { VapidKeys } from './vapid-keys.ts';

/** Milliseconds until a push is tried again: as the service says, but not sooner or later than that. */
export const soonestAgain = 30_000;
const latestAgain = 60 * 60_000;
/** Devices that are known to wait. */
const mostBusy = 100_000;
/** Milliseconds between two sounds of one room. */
const betweenSounds = 60_000;

export interface SenderOptions {
  registry: Pick<DeviceRegistry, 'forget'>;
  /** Absent where browsers are not reached. */
  browsers: { services: PushServices; keys: VapidKeys } | undefined;
  /** Absent where apps are not reached. */
  apps: Fcm | undefined;
  /** Called for each device that was sent to. */
  onPush(outcome: PushOutcome['is']): void;
  /** Called when a push was not sent, or its service has not taken it. `reason` repeats nothing of an answer. */
  onRefusal(reason: string): void;
}

/** A device that is sent to. */
interface Target {
  device: StoredDevice;
  address: DeviceAddress;
  login: DeviceLogin;
  /** The rooms with something unread of which the device may hear. */
  rooms: readonly UnreadRoom[];
}

/** The contents of a push, the same for all devices of its user. */
interface News {
  found: UnreadRoom;
  message: Notice['message'];
  settings: NotifySettings;
  /** Before it was looked at what is unread, in milliseconds since 1970. */
  at: number;
}

/** Sends a push to one device, and remembers which devices have made a sound, or are to be left alone for a while. */
export class PushSender {
  readonly #options: SenderOptions;
  /** When a room made a sound last, by room and device; the oldest first. */
  readonly #sounds = new Map<string, number>();
  /** When the push service accepts pushes for a device again, of any room, by the device's ID. */
  readonly #busy = new Map<string, number>();

  constructor(options: SenderOptions) {
    this.#options = options;
  }

  /** Milliseconds until the push service of the device accepts pushes again; 0 or less if it does now. */
  busyFor({ id }: StoredDevice): number {
    return (this.#busy.get(id) ?? 0) - Date.now();
  }

  /** Forgets the sounds that were long before that time. */
  forget(at: number): void {
    for (const [place, made] of this.#sounds) {
      if (made > at - betweenSounds) break;
      this.#sounds.delete(place);
    }
  }

  async send(target: Target, news: News): Promise<PushOutcome> {
    const { registry, onPush, onRefusal } = this.#options;
    const { device, address } = target;
    const outcome =
      'token' in address
        ? await this.#toApp(address.token, target, news)
        : await this.#toBrowser(address, target, news);
    if (this.#busy.size >= mostBusy) this.#busy.clear();
    if (outcome.is === 'busy') this.#busy.set(device.id, Date.now() + pauseOf(outcome));
    else this.#busy.delete(device.id);
    onPush(outcome.is);
    if (outcome.is === 'gone') await registry.forget(device);
    if ('reason' in outcome) onRefusal(outcome.reason);
    return outcome;
  }

  async #toApp(token: string, { login, rooms }: Target, { found }: News): Promise<PushOutcome> {
    const { apps } = this.#options;
    if (apps === undefined) return { is: 'refused', reason: 'CHAT_FCM is not set' };
    // An app that opened the room would make its user a member.
    const outside = found.member === undefined ? { member: 'false' } : {};
    const withheld = found.withheld === undefined ? {} : { accepted: 'false' };
    const numbers = { seq: String(found.newest), unread: String(unreadIn(rooms)) };
    const data =
      login.is === 'live' ? { room: found.room, ...numbers, ...outside, ...withheld } : { expired: 'true' };
    return apps.send(token, { data, isUrgent: isUrgent(found) });
  }

  async #toBrowser(
    { endpoint, p256dh, auth, key, page }: Exclude<DeviceAddress, { token: string }>,
    { device, login, rooms }: Target,
    { found, message, settings, at }: News,
  ): Promise<PushOutcome> {
    const { browsers } = this.#options;
    if (browsers === undefined) return { is: 'refused', reason: 'CHAT_PUSH_CONTACT is not set' };
    const vapid = await browsers.keys.of(key);
    if (vapid === undefined) return { is: 'gone' };
    const texts = new NotificationTexts(settings.lang, settings.zone);
    const place = `${found.room} ${device.id}`;
    const silent = this.#sounds.has(place);
    const notice =
      login.is === 'live'
        ? noticeOf({
            ...{ room: found, message, shows: settings.text, texts },
            ...{ unread: rooms, at, total: unreadIn(rooms), page, silent },
          })
        : namelessNotice(texts, page);
    const secret = Buffer.from(auth, 'base64url');
    // By a secret that the service does not know: it would learn who shares a room, and could try which one it is.
    const topic = createHmac('sha256', secret).update(found.room).digest('base64url').slice(0, 32);
    const outcome = await browsers.services.send(
      endpoint,
      { p256dh: Buffer.from(p256dh, 'base64url'), auth: secret },
      vapid,
      { text: Buffer.from(JSON.stringify(notice)), topic, urgency: isUrgent(found) ? 'high' : 'normal' },
    );
    if (!silent && outcome.is === 'sent') this.#sounds.set(place, Date.now());
    return outcome;
  }
}

const isUrgent = ({ kind, mentions }: UnreadRoom) => kind === 'direct' || mentions > 0;

const unreadIn = (rooms: readonly UnreadRoom[]) => rooms.reduce((sum, one) => sum + one.unread, 0);

/** Milliseconds until a push is tried again. */
export const pauseOf = ({ wait }: { wait: number }) => Math.min(Math.max(soonestAgain, wait), latestAgain);
