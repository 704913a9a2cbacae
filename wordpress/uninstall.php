<?php

declare(strict_types=1);

defined('WP_UNINSTALL_PLUGIN') || exit;

delete_metadata('user', 0, 'php_session_chat_mailed', '', true);
foreach (['php_session_chat', 'php_session_chat_server'] as $php_session_chat_option) {
    if (is_multisite()) {
        foreach (get_networks(['fields' => 'ids']) as $php_session_chat_network) {
            delete_network_option((int) $php_session_chat_network, $php_session_chat_option);
        }
        // Of all networks. The address is there if the site had the plugin before it became a network.
        foreach (get_sites(['fields' => 'ids', 'number' => 0]) as $php_session_chat_site) {
            delete_blog_option($php_session_chat_site, $php_session_chat_option);
        }
    } else {
        delete_option($php_session_chat_option);
    }
}
