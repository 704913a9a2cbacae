import { PhpChatBadge } from './badge.ts';
import { PhpChat } from './element.ts';
import { PhpChatLauncher } from './launcher.ts';

export type { PhpChat, PhpChatBadge, PhpChatLauncher };

if (customElements.get('php-chat') === undefined) {
  customElements.define('php-chat', PhpChat);
  customElements.define('php-chat-launcher', PhpChatLauncher);
  customElements.define('php-chat-badge', PhpChatBadge);
}
