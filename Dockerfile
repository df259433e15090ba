# A node in a container: docs/OPERATIONS.md says what it needs to be reached.

FROM rust:1.95-bookworm AS build
WORKDIR /build
COPY Cargo.toml Cargo.lock ./
COPY .cargo .cargo
COPY migrations migrations
COPY benches benches
COPY nginx nginx
COPY src src
RUN cargo build --release --locked

FROM debian:bookworm-slim
# A number that no user of the host has; Kubernetes sees from it that this is not root.
RUN useradd --uid 10001 --user-group --no-create-home --home-dir /var/lib/fanfare fanfare \
    && install --directory --owner=fanfare --group=fanfare --mode=0700 /var/lib/fanfare
COPY --from=build /build/target/release/fanfare /usr/local/bin/fanfare
USER 10001:10001
WORKDIR /var/lib/fanfare
# Reachable from outside the container, so it starts only with secrets of your own.
ENV FANFARE_DATA_DIR=/var/lib/fanfare \
    FANFARE_HTTP_SERVER__ADDRESS=0.0.0.0
VOLUME /var/lib/fanfare
EXPOSE 8000
STOPSIGNAL SIGTERM
HEALTHCHECK --interval=10s --timeout=10s --start-period=10s CMD ["fanfare", "healthcheck"]
ENTRYPOINT ["fanfare"]
CMD ["serve"]
