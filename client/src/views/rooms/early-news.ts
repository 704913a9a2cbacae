import type { Follower } from '../../chat/chat-listener.ts';
import type { RoomNews } from './room-news.ts';

type Name = 'added' | 'removed' | 'rejected' | 'pushed';

/** The newest events are kept. Of their notices, only the last stays visible. */
const MAX_EVENTS = 20;

/** Keeps events until `RoomNews` is loaded, which shows notices of them. The server sends these events only once. */
export class EarlyNews implements Follower {
  #events: ((news: RoomNews) => void)[] = [];

  readonly added = this.#keeper('added');
  readonly removed = this.#keeper('removed');
  readonly rejected = this.#keeper('rejected');
  readonly pushed = this.#keeper('pushed');

  over(): void {
    this.#events = [];
  }

  passTo(news: RoomNews): void {
    for (const event of this.#events) event(news);
    this.over();
  }

  #keeper<N extends Name>(name: N) {
    return (...args: Parameters<RoomNews[N]>): void => {
      const event = (news: RoomNews) => (news[name] as (...args: Parameters<RoomNews[N]>) => void)(...args);
      this.#events = [...this.#events, event].slice(-MAX_EVENTS);
    };
  }
}
