<?php

declare(strict_types=1);

defined('WP_UNINSTALL_PLUGIN') || exit;

delete_site_option('php_session_chat_server');
delete_metadata('user', 0, 'php_session_chat_mailed', '', true);
if (is_multisite()) {
    foreach (get_sites(['fields' => 'ids', 'number' => 0]) as $php_session_chat_site) {
        delete_blog_option($php_session_chat_site, 'php_session_chat');
    }
} else {
    delete_option('php_session_chat');
}
