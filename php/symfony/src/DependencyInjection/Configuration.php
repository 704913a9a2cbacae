<?php

declare(strict_types=1);

namespace PhpSessionChat\Symfony\DependencyInjection;

use Symfony\Component\Config\Definition\Builder\TreeBuilder;
use Symfony\Component\Config\Definition\ConfigurationInterface;

final class Configuration implements ConfigurationInterface
{
    public function getConfigTreeBuilder(): TreeBuilder
    {
        $tree = new TreeBuilder('php_chat');
        $tree->getRootNode()->children()
            ->scalarNode('server')->defaultValue('/chat/')->info('the chat server for browsers: a path on this host, or an address')->end()
            ->scalarNode('api_url')->defaultValue('http://127.0.0.1:7070')->info('the chat server for this application')->end()
            ->scalarNode('api_key')->defaultNull()->info('the content of CHAT_API_KEY_FILE')->end()
            ->scalarNode('login_url')->defaultValue('/login')->end()
            ->scalarNode('ticket_key')->defaultNull()->info('the content of CHAT_TICKET_KEY_FILE, if the chat server cannot read the sessions')->end()
            ->scalarNode('ticket_audience')->defaultNull()->info('CHAT_TICKET_AUDIENCE')->end()
            ->scalarNode('webhook_key')->defaultNull()->info('the content of CHAT_WEBHOOK_KEY_FILE')->end()
        ->end();
        return $tree;
    }
}
