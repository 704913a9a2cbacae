import { PhpChatBadge } from './element/badge.ts';
import { PhpChat } from './element/element.ts';
import { PhpChatLauncher } from './element/launcher.ts';

export type { PhpChat, PhpChatBadge, PhpChatLauncher };

if (customElements.get('php-chat') === undefined) {
  customElements.define('php-chat', PhpChat);
  customElements.define('php-chat-launcher', PhpChatLauncher);
  customElements.define('php-chat-badge', PhpChatBadge);
}
