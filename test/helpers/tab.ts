import type { PresenceChange } from '../../server/wire/events.ts';
import { type ChatClient, connectChat } from './chat-client.ts';

/** A client that tracks the users who are present in its room, as docs/protocol.md recommends. */
export class Tab {
  readonly room: string;
  readonly client: ChatClient;
  readonly present = new Set<string>();
  count = 0;
  /** Changes that arrived while the list was being fetched. */
  #held: PresenceChange[] | null = [];

  private constructor(client: ChatClient, room: string) {
    this.client = client;
    this.room = room;
    client.socket.on('presence:changed', (change) => {
      if (change.room !== room) return;
      if (this.#held === null) this.#apply(change);
      else this.#held.push(change);
    });
  }

  static async open(url: string, cookie: string, room: string): Promise<Tab> {
    const tab = new Tab(await connectChat(url, cookie), room);
    const { present, presentCount } = await tab.client.request('room:join', { room });
    if (presentCount > present.length) await tab.#fetch();
    else {
      for (const { id } of present) tab.present.add(id);
      tab.count = presentCount;
      tab.#release();
    }
    return tab;
  }

  async #fetch(): Promise<void> {
    this.#held ??= [];
    this.present.clear();
    for (let cursor: string | undefined, more = true; more; ) {
      const page = await this.client.request('room:members', {
        room: this.room,
        present: true,
        cursor,
      });
      for (const { user } of page.members) this.present.add(user.id);
      cursor = page.next;
      more = cursor !== undefined;
    }
    this.count = this.present.size;
    this.#release();
  }

  #release(): void {
    const held = this.#held ?? [];
    this.#held = null;
    for (const change of held) this.#apply(change);
  }

  #apply({ joined, left, count, partial }: PresenceChange): void {
    for (const { id } of joined) this.present.add(id);
    for (const id of left) this.present.delete(id);
    this.count = count;
    if (partial) void this.#fetch().catch(() => {});
  }
}
