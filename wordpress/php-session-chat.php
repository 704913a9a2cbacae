<?php
/**
 * Plugin Name:       PHP Session Chat
 * Description:       Real-time chat for your members, with their WordPress login. Needs the chat server php-session-chat on your machine.
 * Version:           0.1.0
 * Requires at least: 5.9
 * Requires PHP:      8.1
 * License:           MIT
 * License URI:       https://opensource.org/license/mit
 * Text Domain:       php-session-chat
 * Domain Path:       /languages
 */

declare(strict_types=1);

namespace PhpSessionChat\WordPress;

defined('ABSPATH') || exit;

const VERSION = '0.1.0';
const FILE = __FILE__;

require __DIR__ . '/includes/texts.php';
require __DIR__ . '/includes/settings.php';
require __DIR__ . '/includes/embed.php';
require __DIR__ . '/includes/connection.php';
require __DIR__ . '/includes/site-health.php';
require __DIR__ . '/includes/privacy.php';
require __DIR__ . '/includes/mails.php';
require __DIR__ . '/includes/tickets.php';
if (is_admin()) {
    require __DIR__ . '/includes/settings-page.php';
}
