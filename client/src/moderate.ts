import { PhpChatModerate } from './moderate/element.ts';
import { pictures as ours } from './moderate/pictures.ts';
import { addPictures } from './views/controls/icon.tsx';
import { pictures } from './views/controls/pictures.ts';

addPictures(pictures);
addPictures(ours);
customElements.define('php-chat-moderate', PhpChatModerate);
