# Builds with Swift and runs without it: the binary contains the Swift runtime.
FROM swift:6.3-bookworm AS build
WORKDIR /src
COPY . .
RUN ./dev build && strip -o /user-service "$(swift build -c release --static-swift-stdlib --show-bin-path)/user-service"

FROM debian:bookworm-slim
RUN apt-get update \
  && apt-get install -y --no-install-recommends libargon2-1 libcrypt1 libidn2-0 libjemalloc2 libnghttp2-14 libpq5 \
    libsqlite3-0 libstdc++6 zlib1g \
  && rm -rf /var/lib/apt/lists/* \
  && useradd --system --uid 10001 --home-dir /data --shell /usr/sbin/nologin user-service \
  && install -d -o user-service -g user-service -m 0700 /data
COPY --from=build /user-service /usr/local/bin/user-service
USER user-service
VOLUME /data
EXPOSE 50051
ENV USER_SERVICE_DATABASE=/data/users.db USER_SERVICE_LISTEN=0.0.0.0:50051 USER_SERVICE_LOG_FORMAT=json
HEALTHCHECK --interval=10s --timeout=6s --start-period=5s CMD ["user-service", "health"]
ENTRYPOINT ["user-service"]
CMD ["serve"]
