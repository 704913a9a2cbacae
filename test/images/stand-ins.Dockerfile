# Replacements of the public images that ours are built on and run next to, with the same contents from Debian's
# packages.
FROM debian:12-slim AS node
RUN apt-get update && apt-get install -y --no-install-recommends ca-certificates libatomic1 && rm -rf /var/lib/apt/lists/*
COPY . /usr/local/
RUN ln -s ../lib/node_modules/npm/bin/npm-cli.js /usr/local/bin/npm \
    && ln -s ../lib/node_modules/npm/bin/npx-cli.js /usr/local/bin/npx \
    && useradd --create-home --uid 1000 node
# npm trusts the certificates of the building machine.
ENV NODE_EXTRA_CA_CERTS=/usr/local/certificates.crt

FROM debian:12-slim AS services
RUN apt-get update && apt-get install -y --no-install-recommends memcached nginx-light postgresql redis-server

FROM services AS memcached
USER memcache
CMD ["memcached"]

FROM services AS redis
WORKDIR /var/lib/redis
USER redis
# Accepts other containers, like the public image.
ENTRYPOINT ["sh", "-c", "exec \"$@\" --protected-mode no --bind '*'", "redis"]
CMD ["redis-server"]

FROM services AS nginx
RUN rm /etc/nginx/sites-enabled/default
CMD ["nginx", "-g", "daemon off; error_log stderr;"]

FROM services AS postgres
RUN rm -rf /var/lib/postgresql/* && mkdir /var/lib/postgresql/data && chown postgres: /var/lib/postgresql/data \
    && ln -sf /usr/lib/postgresql/*/bin/* /usr/local/bin/
ENV LANG=C.UTF-8 PGDATA=/var/lib/postgresql/data
USER postgres
# The first start creates the user and the database, like the public image.
CMD ["sh", "-c", "\
    if [ ! -s $PGDATA/PG_VERSION ]; then \
      printf %s \"$POSTGRES_PASSWORD\" > /tmp/password \
      && initdb -U \"$POSTGRES_USER\" --pwfile=/tmp/password --auth=scram-sha-256 > /dev/null \
      && echo 'host all all all scram-sha-256' >> $PGDATA/pg_hba.conf \
      && echo \"create database $POSTGRES_DB\" | postgres --single -j postgres; \
    fi; exec postgres -c listen_addresses='*' -k /tmp"]
