import { createHmac } from 'node:crypto';
import type { StoredDevice } from '../history/history.ts';
import type { NotifySettings } from '../notify/settings.ts';
import { NotificationTexts } from '../notify/texts.ts';
import type { UnreadRoom } from '../notify/unread.ts';
import type { Fcm } from './fcm.ts';
import { dataForApp, type Notice, namelessNotice, noticeOf, type PushSite, subjectOf } from './notice.ts';
import { answerTime, type PushOutcome, type PushServices } from './push-service.ts';
import type { DeviceAddress, DeviceLogin, DeviceRegistry } from './registry.ts';
import type { VapidKeys } from './vapid-keys.ts';

/** Minimum delay before a retry, in milliseconds. Push services may ask for a longer one. */
export const soonestAgain = 30_000;
/** Maximum delay before a retry, in milliseconds. */
const latestAgain = 60 * 60_000;
/** Maximum entries of `PushSender.#busy` and of `PushSender.#silent`. All are dropped when one is full. */
const mostBusy = 100_000;
/** A push service that did not respond to this many pushes in a row gets none for `soonestAgain`. */
const silentInARow = 3;
/** Minimum time between two sounds of a room on a device, in milliseconds. */
const betweenSounds = 60_000;

export interface SenderOptions {
  site: PushSite;
  registry: Pick<DeviceRegistry, 'forget'>;
  /** Undefined if pushes to browsers are off. */
  browsers: { services: PushServices; keys: VapidKeys } | undefined;
  /** Undefined if pushes to apps are off. */
  apps: Fcm | undefined;
  /** Called with the outcome for each device. */
  onPush(outcome: PushOutcome['is']): void;
  /**
   * Called when a push was not sent or not accepted. `reason` contains no free text from the response.
   * @param user given if the device of this user may be the cause
   */
  onRefusal(reason: string, user?: string): void;
}

/** The device that gets the push. */
interface Target {
  device: StoredDevice;
  address: DeviceAddress;
  login: DeviceLogin;
  /** Rooms with unread messages that a push to this device may mention. */
  rooms: readonly UnreadRoom[];
}

/** The content of a push, the same for all devices of the user. */
interface News {
  found: UnreadRoom;
  message: Notice['message'];
  settings: NotifySettings;
  /** The time just before the unread messages were fetched, as Unix ms. */
  at: number;
}

/**
 * Sends pushes to devices. Remembers which devices made a sound recently, and which must wait for their push service.
 */
export class PushSender {
  readonly #options: SenderOptions;
  /** When a room last made a sound on a device, by room and device ID, oldest first. */
  readonly #sounds = new Map<string, number>();
  /** The time at which the push service accepts pushes for a device again, in Unix ms, by device ID. */
  readonly #busy = new Map<string, number>();
  /** Push services whose last pushes got no response, by origin, and when they get the next push, in Unix ms. */
  readonly #silent = new Map<string, { pushes: number; until: number }>();

  constructor(options: SenderOptions) {
    this.#options = options;
  }

  /** Returns the milliseconds until the push service of the device accepts pushes again; 0 or less if it does now. */
  busyFor({ device, address }: Pick<Target, 'device' | 'address'>): number {
    const { until = 0 } = this.#silent.get(serviceOf(address)) ?? {};
    return Math.max(this.#busy.get(device.id) ?? 0, until) - Date.now();
  }

  /** Forgets sounds from more than `betweenSounds` before `at`. */
  forget(at: number): void {
    for (const [place, made] of this.#sounds) {
      if (made > at - betweenSounds) break;
      this.#sounds.delete(place);
    }
  }

  async send(target: Target, news: News): Promise<PushOutcome> {
    const { registry, onPush, onRefusal } = this.#options;
    const { device, address } = target;
    const service = serviceOf(address);
    // Another push may have made the service wait since `busyFor` was called.
    const wait = this.busyFor(target);
    if (wait > 0) return { is: 'busy', wait, reason: 'the push service did not respond to other pushes' };
    const silent = this.#silent.get(service);
    // Only this push finds out whether the service responds again. The others wait for its result.
    if (silent !== undefined && silent.pushes >= silentInARow) silent.until = Date.now() + answerTime;
    const outcome =
      'token' in address
        ? await this.#toApp(address.token, target, news)
        : await this.#toBrowser(address, target, news);
    if (this.#busy.size >= mostBusy) this.#busy.clear();
    if (outcome.is === 'busy') this.#busy.set(device.id, Date.now() + pauseOf(outcome));
    else this.#busy.delete(device.id);
    this.#watch(service, 'silent' in outcome);
    onPush(outcome.is);
    if (outcome.is === 'gone') await registry.forget(device);
    if ('reason' in outcome) onRefusal(outcome.reason, device.user);
    return outcome;
  }

  /** Delays further pushes to a service that does not respond. */
  #watch(service: string, isSilent: boolean): void {
    if (!isSilent) return void this.#silent.delete(service);
    const pushes = (this.#silent.get(service)?.pushes ?? 0) + 1;
    if (this.#silent.size >= mostBusy) this.#silent.clear();
    this.#silent.set(service, { pushes, until: pushes >= silentInARow ? Date.now() + soonestAgain : 0 });
  }

  async #toApp(token: string, { login, rooms }: Target, { found }: News): Promise<PushOutcome> {
    const { apps } = this.#options;
    if (apps === undefined) return { is: 'refused', reason: 'CHAT_FCM is not set' };
    const data = dataForApp(found, login.is === 'live' ? unreadIn(rooms) : 'expired');
    return apps.send(token, { data, isUrgent: isUrgent(found) });
  }

  async #toBrowser(
    { endpoint, p256dh, auth, key, page }: Exclude<DeviceAddress, { token: string }>,
    { device, login, rooms }: Target,
    { found, message, settings, at }: News,
  ): Promise<PushOutcome> {
    const { browsers, site } = this.#options;
    if (browsers === undefined) return { is: 'refused', reason: 'CHAT_PUSH_CONTACT is not set' };
    const vapid = await browsers.keys.of(key);
    if (vapid === undefined) return { is: 'gone' };
    const texts = new NotificationTexts(settings.lang, settings.zone);
    const place = `${subjectOf(found)} ${device.id}`;
    const silent = this.#sounds.has(place);
    const notice =
      login.is === 'live'
        ? noticeOf({
            ...{ site, room: found, message, shows: settings.text, texts },
            ...{ unread: rooms, at, total: unreadIn(rooms), page, silent },
          })
        : namelessNotice(site, texts, page);
    const secret = Buffer.from(auth, 'base64url');
    // Keyed with a secret, because the push service could otherwise guess the room and see which users share it.
    const topic = createHmac('sha256', secret).update(subjectOf(found)).digest('base64url').slice(0, 32);
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

const serviceOf = (address: DeviceAddress) => ('token' in address ? 'fcm' : new URL(address.endpoint).origin);

const isUrgent = ({ kind, mentions }: UnreadRoom) => kind === 'direct' || mentions > 0;

const unreadIn = (rooms: readonly UnreadRoom[]) => rooms.reduce((sum, one) => sum + one.unread, 0);

/** Returns the delay before a retry, in milliseconds. */
export const pauseOf = ({ wait }: { wait: number }) => Math.min(Math.max(soonestAgain, wait), latestAgain);
