import type { Chat } from './chat.ts';

/** Connects the visitor as a guest. @param name - empty if guests only read */
export function enterAsGuest({ pass, connection }: Pick<Chat, 'pass' | 'connection'>, name: string): void {
  pass.create(name);
  connection.start();
}

/** Forgets the guest of this browser, with all stored data. */
export function forgetGuest(chat: Chat): void {
  const { me, pass, connection } = chat;
  pass.forget();
  connection.stop();
  chat.hide();
  if (me !== undefined) chat.over(me);
  connection.start();
}
