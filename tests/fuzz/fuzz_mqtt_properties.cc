// One block of MQTT 5 properties, its length included. The first byte chooses the packet that carries it.
// Promises: nothing is read outside the input; what is decoded is encoded to something that is decoded as
// equal; the limits on user properties hold.
#include <cstdint>
#include <cstdlib>
#include <string>
#include <vector>

#include "check.h"
#include "codec/mqtt/decode_properties.h"
#include "codec/mqtt/encode_body.h"

using namespace arena;
using namespace arena::mqtt;

namespace {

const DecodeLimits kLimits{.user_properties_max = 20, .user_property_bytes_max = 2000};

template <typename P>
void check(const std::vector<char>& input, PropertyPlace place) {
  Reader reader({input.data(), input.size()});
  P properties;
  decode_properties(reader, place, kLimits, properties);
  if (!reader.ok()) return;
  FUZZ_CHECK(properties.user_properties.size() <= kLimits.user_properties_max);

  Sizer sizer;
  put_properties(sizer, properties);
  FUZZ_CHECK(sizer.fits());
  FUZZ_CHECK(sizer.bytes() + reader.left() == input.size());
  std::vector<char> again(sizer.bytes());
  Writer writer(again.data());
  put_properties(writer, properties);
  Reader second({again.data(), again.size()});
  P same;
  decode_properties(second, place, kLimits, same);
  FUZZ_CHECK(second.ok() && second.left() == 0);
  FUZZ_CHECK(same == properties);
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, std::size_t size) {
  if (size == 0) return 0;
  const std::vector<char> input(data + 1, data + size);
  const auto place = static_cast<PropertyPlace>(data[0] % 16);
  switch (place) {
    case PropertyPlace::will:
      check<WillProperties>(input, place);
      break;
    case PropertyPlace::connect:
      check<ConnectProperties>(input, place);
      break;
    case PropertyPlace::connack:
      check<ConnackProperties>(input, place);
      break;
    case PropertyPlace::publish:
      check<PublishProperties>(input, place);
      break;
    case PropertyPlace::puback:
    case PropertyPlace::pubrec:
    case PropertyPlace::pubrel:
    case PropertyPlace::pubcomp:
    case PropertyPlace::suback:
    case PropertyPlace::unsuback:
      check<ReasonProperties>(input, place);
      break;
    case PropertyPlace::subscribe:
      check<SubscribeProperties>(input, place);
      break;
    case PropertyPlace::unsubscribe:
      check<UnsubscribeProperties>(input, place);
      break;
    case PropertyPlace::disconnect:
      check<DisconnectProperties>(input, place);
      break;
    case PropertyPlace::auth:
      check<AuthProperties>(input, place);
      break;
  }
  return 0;
}
